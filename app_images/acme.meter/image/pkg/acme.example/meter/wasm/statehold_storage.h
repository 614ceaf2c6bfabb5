/* What a storage in C needs: memory, msgpack, and what it sees of its host.

   Needs no C library. Include it in one file only, the one with the storage:

       SH_DESCRIPTION("meter.json")
       SH_EXPORT(statehold_open) sh_answer open(uint32_t index, const uint8_t *data, uint32_t size) { ... }

   An export that the host calls gets bytes, and gives an answer: SH_NOTHING, what was written since sh_begin(), or a
   refusal in words. What it is given stays where it is until it returns, what it answers until it is called again.
   The page on storages in WebAssembly has every export, and what each is given and answers. */

#ifndef STATEHOLD_STORAGE_H
#define STATEHOLD_STORAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SH_ABI 1
#define SH_EXPORT(name) __attribute__((export_name(#name)))
#define SH_IMPORT(name) __attribute__((import_module("statehold"), import_name(#name)))

/* Puts a file into the module, as what the module says of itself. */
#define SH_DESCRIPTION(file) __asm__(".section .custom_section.statehold,\"\",@\n.incbin \"" file "\"\n");

/* An answer: an address and a length. */
typedef uint64_t sh_answer;
#define SH_NOTHING ((sh_answer)0)

/* A text in memory; not terminated. */
typedef struct { const char *data; uint32_t size; } sh_text;

/* -- What the host gives ------------------------------------------------------------------------------------------ */

enum { SH_ERROR = 1, SH_WARNING, SH_INFO, SH_VERBOSE };

SH_IMPORT(log) void sh__log(uint32_t level, const char *text, uint32_t size);
SH_IMPORT(clock) int64_t sh__clock(uint32_t kind);
SH_IMPORT(random) void sh__random(void *data, uint32_t size);

static inline uint32_t sh_length(const char *text) {
    uint32_t size = 0;
    while (text[size]) size++;
    return size;
}
static inline void sh_log(uint32_t level, const char *text) { sh__log(level, text, sh_length(text)); }
/* Nanoseconds since 1970. */
static inline int64_t sh_now(void) { return sh__clock(0); }
/* Nanoseconds that never run backwards. */
static inline int64_t sh_ticks(void) { return sh__clock(1); }
/* Fills up to 65536 bytes. */
static inline void sh_random(void *data, uint32_t size) { sh__random(data, size); }

/* -- Memory: blocks of a power of two, each kind with a list of the free ones ------------------------------------- */

extern char __heap_base;

typedef union sh__block { union sh__block *next; uint32_t kind; uint64_t align; } sh__block;
static sh__block *sh__free_blocks[32];
static uintptr_t sh__top;

/* Return *size* bytes, NULL where there is no memory left. */
static void *sh_take(uint32_t size) {
    if (size > (1u << 30)) return NULL;
    uint32_t kind = 4;
    while ((1u << kind) < size + sizeof(sh__block)) kind++;
    sh__block *block = sh__free_blocks[kind];
    if (block) {
        sh__free_blocks[kind] = block->next;
    } else {
        if (!sh__top) sh__top = ((uintptr_t)&__heap_base + 15) & ~(uintptr_t)15;
        uint64_t end = (uint64_t)sh__top + (1u << kind), have = (uint64_t)__builtin_wasm_memory_size(0) << 16;
        if (end > UINT32_MAX) return NULL;
        if (end > have && __builtin_wasm_memory_grow(0, (end - have + 65535) >> 16) == (size_t)-1) return NULL;
        block = (sh__block *)sh__top;
        sh__top = (uintptr_t)end;
    }
    block->kind = kind;
    return block + 1;
}

static void sh_give_back(void *memory) {
    if (!memory) return;
    sh__block *block = (sh__block *)memory - 1;
    uint32_t kind = block->kind;
    block->next = sh__free_blocks[kind];
    sh__free_blocks[kind] = block;
}

/* What the compiler calls of its own, too; it must not make calls to them of their own loops. */
#define SH__PLAIN __attribute__((used, no_builtin("memcpy", "memmove", "memset")))

typedef uint64_t __attribute__((aligned(1), may_alias)) sh__word;

SH__PLAIN void *memcpy(void *to, const void *from, size_t size) {
    char *at = to;
    const char *source = from;
    for (; size >= 8; size -= 8, at += 8, source += 8) *(sh__word *)at = *(const sh__word *)source;
    while (size--) *at++ = *source++;
    return to;
}
SH__PLAIN void *memmove(void *to, const void *from, size_t size) {
    if ((uintptr_t)to - (uintptr_t)from >= size) return memcpy(to, from, size);
    char *at = (char *)to + size;
    const char *source = (const char *)from + size;
    for (; size >= 8; size -= 8) *(sh__word *)(at -= 8) = *(const sh__word *)(source -= 8);
    while (size--) *--at = *--source;
    return to;
}
SH__PLAIN void *memset(void *to, int byte, size_t size) {
    for (char *at = to; size--;) *at++ = (char)byte;
    return to;
}
static inline void sh_copy(void *to, const void *from, uint32_t size) { memcpy(to, from, size); }
static inline void sh_move(void *to, const void *from, uint32_t size) { memmove(to, from, size); }

static inline int sh_compare(sh_text one, sh_text other) {
    uint32_t shorter = one.size < other.size ? one.size : other.size;
    for (uint32_t at = 0; at < shorter; at++) {
        uint8_t left = (uint8_t)one.data[at], right = (uint8_t)other.data[at];
        if (left != right) return left < right ? -1 : 1;
    }
    return one.size < other.size ? -1 : one.size > other.size;
}

/* -- Reading msgpack: after the first thing that is not what was asked for, `bad` is set and all else is zero ------ */

typedef struct { const uint8_t *at, *end; bool bad; } sh_reader;

static inline sh_reader sh_read(const uint8_t *data, uint32_t size) { return (sh_reader){data, data + size, false}; }

static uint64_t sh__bytes(sh_reader *in, uint32_t count) {
    uint64_t value = 0;
    if (in->bad || (uint32_t)(in->end - in->at) < count) {
        in->bad = true;
        return 0;
    }
    while (count--) value = value << 8 | *in->at++;
    return value;
}

/* Return whether the next value is not set, and step over it then. */
static bool sh_read_nil(sh_reader *in) {
    if (in->bad || in->at == in->end || *in->at != 0xc0) return false;
    in->at++;
    return true;
}

/* Return how many values follow that belong together. */
static uint32_t sh_read_array(sh_reader *in) {
    uint8_t head = (uint8_t)sh__bytes(in, 1);
    if ((head & 0xf0) == 0x90) return head & 0x0f;
    if (head == 0xdc) return (uint32_t)sh__bytes(in, 2);
    if (head == 0xdd) return (uint32_t)sh__bytes(in, 4);
    in->bad = true;
    return 0;
}

static int64_t sh_read_int(sh_reader *in) {
    uint8_t head = (uint8_t)sh__bytes(in, 1);
    if (head < 0x80 || head >= 0xe0) return (int8_t)head;
    switch (head) {
        case 0xcc: return (uint8_t)sh__bytes(in, 1);
        case 0xcd: return (uint16_t)sh__bytes(in, 2);
        case 0xce: return (uint32_t)sh__bytes(in, 4);
        case 0xcf: return (int64_t)sh__bytes(in, 8);
        case 0xd0: return (int8_t)sh__bytes(in, 1);
        case 0xd1: return (int16_t)sh__bytes(in, 2);
        case 0xd2: return (int32_t)sh__bytes(in, 4);
        case 0xd3: return (int64_t)sh__bytes(in, 8);
    }
    in->bad = true;
    return 0;
}

static double sh_read_float(sh_reader *in) {
    if (sh__bytes(in, 1) != 0xcb) in->bad = true;
    union { uint64_t bits; double value; } both = {sh__bytes(in, 8)};
    return both.value;
}

static bool sh_read_bool(sh_reader *in) {
    uint8_t head = (uint8_t)sh__bytes(in, 1);
    if (head != 0xc2 && head != 0xc3) in->bad = true;
    return head == 0xc3;
}

/* A text, or bytes. */
static sh_text sh_read_text(sh_reader *in) {
    uint8_t head = (uint8_t)sh__bytes(in, 1);
    uint32_t size = 0;
    if ((head & 0xe0) == 0xa0) size = head & 0x1f;
    else if (head == 0xd9 || head == 0xc4) size = (uint32_t)sh__bytes(in, 1);
    else if (head == 0xda || head == 0xc5) size = (uint32_t)sh__bytes(in, 2);
    else if (head == 0xdb || head == 0xc6) size = (uint32_t)sh__bytes(in, 4);
    else in->bad = true;
    if (in->bad || (uint32_t)(in->end - in->at) < size) {
        in->bad = true;
        return (sh_text){NULL, 0};
    }
    sh_text text = {(const char *)in->at, size};
    in->at += size;
    return text;
}

/* -- Writing msgpack: an answer that finds no memory becomes a refusal that says so ------------------------------- */

static uint8_t *sh__out;
static uint32_t sh__written, sh__room;
static bool sh__full;

static inline void sh_begin(void) {
    sh__written = 0;
    sh__full = false;
}
static inline uint32_t sh_written(void) { return sh__written; }

static void sh__put(const void *data, uint32_t size) {
    if (sh__full) return;
    if (size > sh__room - sh__written) {
        uint32_t room = (sh__written + size) * 2;
        uint8_t *out = sh_take(room);
        if (!out) {
            sh__full = true;
            return;
        }
        sh_copy(out, sh__out, sh__written);
        sh_give_back(sh__out);
        sh__out = out;
        sh__room = room;
    }
    sh_copy(sh__out + sh__written, data, size);
    sh__written += size;
}

static void sh__head(uint8_t head, uint64_t value, uint32_t count) {
    uint8_t bytes[9] = {head};
    for (uint32_t at = count; at; at--, value >>= 8) bytes[at] = (uint8_t)value;
    sh__put(bytes, count + 1);
}

static inline void sh_put_nil(void) { sh__head(0xc0, 0, 0); }
static inline void sh_put_array(uint32_t count) { sh__head(0xdd, count, 4); }
static inline void sh_put_int(int64_t value) { sh__head(0xd3, (uint64_t)value, 8); }
static inline void sh_put_bool(bool value) { sh__head(value ? 0xc3 : 0xc2, 0, 0); }
static inline void sh_put_float(double value) {
    union { double value; uint64_t bits; } both = {value};
    sh__head(0xcb, both.bits, 8);
}
static inline void sh_put_text(sh_text text) {
    sh__head(0xdb, text.size, 4);
    sh__put(text.data, text.size);
}
static inline void sh_put_bytes(sh_text bytes) {
    sh__head(0xc6, bytes.size, 4);
    sh__put(bytes.data, bytes.size);
}

/* Correct how many values an array has, which began when *at* bytes had been written. */
static inline void sh_set_array(uint32_t at, uint32_t count) {
    if (sh__full) return;
    for (uint32_t byte = 4; byte; byte--, count >>= 8) sh__out[at + byte] = (uint8_t)count;
}

static sh_answer sh__answer(const void *data, uint32_t size) { return (sh_answer)(uintptr_t)data << 32 | size; }

/* Refuse what was asked for; *why*, up to 255 bytes, is what the caller gets to read. */
static sh_answer sh_refuse(const char *why) {
    static uint8_t text[257];
    uint32_t size = sh_length(why);
    if (size > 255) size = 255;
    text[0] = 0xd9;
    text[1] = (uint8_t)size;
    sh_copy(text + 2, why, size);
    return sh__answer(text, size + 2);
}

/* Answer what was written since sh_begin(). */
static inline sh_answer sh_answered(void) {
    return sh__full ? sh_refuse("there is no memory left for the answer") : sh__answer(sh__out, sh__written);
}

/* -- What the host expects of every module ------------------------------------------------------------------------ */

SH_EXPORT(statehold_abi) uint32_t sh__abi(void) { return SH_ABI; }
SH_EXPORT(statehold_alloc) void *sh__alloc(uint32_t size) { return sh_take(size); }
SH_EXPORT(statehold_free) void sh__free(void *memory) { sh_give_back(memory); }

#endif
