/* What an extension in C sees of its host: keys, values and intents, and what every guest has to export.

   Needs no C library. Include it in one file only, the one with the extensions:

       SH_EXTENSION(Count) { sh_value argument = sh_must_get(sh_key_of("sys.CommandContext", "")); ... }

   Texts that the host returns stay where they are until the extension returns. What does not fit (a field that
   there is not, a text where a number is expected, a storage that is not declared) ends the call with an error
   that says so; nothing has to be checked here. Global variables keep their values from call to call, but only
   until the host makes a new instance: they are good for caches, not for data. */

#ifndef STATEHOLD_H
#define STATEHOLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Handles of the host; each kind is a type of its own, so that the compiler tells them apart. */
typedef struct { uint64_t id; } sh_key;    /* a key that is being put together */
typedef struct { uint64_t id; } sh_row;    /* the key of a row that was read */
typedef struct { uint64_t id; } sh_value;  /* what was read, or something inside of it */
typedef struct { uint64_t id; } sh_intent; /* a change that is asked for */

/* A text in memory; not terminated. */
typedef struct { const char *data; uint32_t size; } sh_text;

#define SH_EXTENSION(name) __attribute__((export_name(#name))) void name(void)
#define SH_EXPORT(name) __attribute__((export_name(#name)))
#define SH_IMPORT(name) __attribute__((import_module("env"), import_name(#name)))

SH_IMPORT(hostGetKey) uint64_t sh__key(const char *, uint32_t, const char *, uint32_t);
SH_IMPORT(hostGetValue) uint64_t sh__must_get(uint64_t);
SH_IMPORT(hostQueryValue) uint64_t sh__get(uint64_t);
SH_IMPORT(hostReadValues) void sh__read(uint64_t);
SH_IMPORT(hostNewValue) uint64_t sh__insert(uint64_t);
SH_IMPORT(hostUpdateValue) uint64_t sh__update(uint64_t, uint64_t);
SH_IMPORT(hostValueLength) uint32_t sh__length(uint64_t);
SH_IMPORT(hostKeyAsString) uint64_t sh__row_text(uint64_t, const char *, uint32_t);
SH_IMPORT(hostKeyAsInt64) int64_t sh__row_int(uint64_t, const char *, uint32_t);
SH_IMPORT(hostKeyAsFloat64) double sh__row_float(uint64_t, const char *, uint32_t);
SH_IMPORT(hostKeyAsBool) uint64_t sh__row_bool(uint64_t, const char *, uint32_t);
SH_IMPORT(hostValueAsString) uint64_t sh__text(uint64_t, const char *, uint32_t);
SH_IMPORT(hostValueAsBytes) uint64_t sh__bytes(uint64_t, const char *, uint32_t);
SH_IMPORT(hostValueAsQNamePkg) uint64_t sh__package(uint64_t, const char *, uint32_t);
SH_IMPORT(hostValueAsQNameEntity) uint64_t sh__entity(uint64_t, const char *, uint32_t);
SH_IMPORT(hostValueAsInt64) int64_t sh__int(uint64_t, const char *, uint32_t);
SH_IMPORT(hostValueAsFloat64) double sh__float(uint64_t, const char *, uint32_t);
SH_IMPORT(hostValueAsBool) uint64_t sh__bool(uint64_t, const char *, uint32_t);
SH_IMPORT(hostValueAsValue) uint64_t sh__value(uint64_t, const char *, uint32_t);
SH_IMPORT(hostValueGetAsValue) uint64_t sh__element(uint64_t, uint32_t);
SH_IMPORT(hostValueGetAsString) uint64_t sh__text_at(uint64_t, uint32_t);
SH_IMPORT(hostValueGetAsInt64) int64_t sh__int_at(uint64_t, uint32_t);
SH_IMPORT(hostValueGetAsFloat64) double sh__float_at(uint64_t, uint32_t);
SH_IMPORT(hostValueGetAsBool) uint64_t sh__bool_at(uint64_t, uint32_t);
SH_IMPORT(hostRowWriterPutString) void sh__put_text(uint64_t, uint32_t, const char *, uint32_t, const char *, uint32_t);
SH_IMPORT(hostRowWriterPutBytes) void sh__put_bytes(uint64_t, uint32_t, const char *, uint32_t, const char *, uint32_t);
SH_IMPORT(hostRowWriterPutQName)
void sh__put_qname(uint64_t, uint32_t, const char *, uint32_t, const char *, uint32_t, const char *, uint32_t);
SH_IMPORT(hostRowWriterPutInt64) void sh__put_int(uint64_t, uint32_t, const char *, uint32_t, int64_t);
SH_IMPORT(hostRowWriterPutFloat64) void sh__put_float(uint64_t, uint32_t, const char *, uint32_t, double);
SH_IMPORT(hostRowWriterPutBool) void sh__put_bool(uint64_t, uint32_t, const char *, uint32_t, uint32_t);

enum { SH__OF_KEY = 0, SH__OF_INTENT = 1 };

static inline uint32_t sh__size(const char *text) {
    uint32_t size = 0;
    while (text[size]) size++;
    return size;
}

static inline sh_text sh__returned(uint64_t packed) {
    return (sh_text){(const char *)(uintptr_t)(packed >> 32), (uint32_t)packed};
}

/* Texts */

static inline sh_text sh_literal(const char *text) { return (sh_text){text, sh__size(text)}; }

/* Keys. Storages are named as in the declarations, entities with the path of their package. */

static inline sh_key sh_key_of(const char *storage, const char *entity) {
    return (sh_key){sh__key(storage, sh__size(storage), entity, sh__size(entity))};
}
static inline void sh_key_int(sh_key key, const char *field, int64_t value) {
    sh__put_int(key.id, SH__OF_KEY, field, sh__size(field), value);
}
static inline void sh_key_text(sh_key key, const char *field, sh_text value) {
    sh__put_text(key.id, SH__OF_KEY, field, sh__size(field), value.data, value.size);
}

static inline void sh_key_float(sh_key key, const char *field, double value) {
    sh__put_float(key.id, SH__OF_KEY, field, sh__size(field), value);
}
static inline void sh_key_bool(sh_key key, const char *field, bool value) {
    sh__put_bool(key.id, SH__OF_KEY, field, sh__size(field), value);
}
static inline void sh_key_qname(sh_key key, const char *field, sh_text package, sh_text entity) {
    sh__put_qname(key.id, SH__OF_KEY, field, sh__size(field), package.data, package.size, entity.data, entity.size);
}

/* Reading. A field that is not set is read as 0, false or an empty text. */

/* Return what is stored under *key*; the call ends with an error if there is nothing. */
static inline sh_value sh_must_get(sh_key key) { return (sh_value){sh__must_get(key.id)}; }

/* Set *value* to what is stored under *key*, and return whether there is anything. */
static inline bool sh_get(sh_key key, sh_value *value) {
    value->id = sh__get(key.id);
    return value->id != UINT64_MAX;
}

typedef void (*sh_on_row)(sh_row row, sh_value value);
static sh_on_row sh__on_row;

/* Call *on_row* for each row whose key begins with *key*; its handles are good until it returns. */
static inline void sh_read(sh_key key, sh_on_row on_row) {
    sh_on_row outer = sh__on_row;
    sh__on_row = on_row;
    sh__read(key.id);
    sh__on_row = outer;
}

static inline int64_t sh_row_int(sh_row row, const char *field) { return sh__row_int(row.id, field, sh__size(field)); }
static inline sh_text sh_row_text(sh_row row, const char *field) {
    return sh__returned(sh__row_text(row.id, field, sh__size(field)));
}
static inline double sh_row_float(sh_row row, const char *field) {
    return sh__row_float(row.id, field, sh__size(field));
}
static inline bool sh_row_bool(sh_row row, const char *field) {
    return sh__row_bool(row.id, field, sh__size(field)) != 0;
}
static inline int64_t sh_int(sh_value value, const char *field) { return sh__int(value.id, field, sh__size(field)); }
static inline double sh_float(sh_value value, const char *field) { return sh__float(value.id, field, sh__size(field)); }
static inline bool sh_bool(sh_value value, const char *field) { return sh__bool(value.id, field, sh__size(field)) != 0; }
static inline sh_text sh_text_of(sh_value value, const char *field) {
    return sh__returned(sh__text(value.id, field, sh__size(field)));
}
static inline sh_text sh_bytes_of(sh_value value, const char *field) {
    return sh__returned(sh__bytes(value.id, field, sh__size(field)));
}
/* The two parts of a qualified name: the path of its package, and the name in it. */
static inline sh_text sh_package_of(sh_value value, const char *field) {
    return sh__returned(sh__package(value.id, field, sh__size(field)));
}
static inline sh_text sh_entity_of(sh_value value, const char *field) {
    return sh__returned(sh__entity(value.id, field, sh__size(field)));
}

/* What is inside of a value: an object, whose fields are read by name, or a list, whose elements are read by index. */
static inline sh_value sh_inside(sh_value value, const char *field) {
    return (sh_value){sh__value(value.id, field, sh__size(field))};
}
static inline uint32_t sh_length(sh_value list) { return sh__length(list.id); }
static inline int64_t sh_int_at(sh_value list, uint32_t index) { return sh__int_at(list.id, index); }
static inline double sh_float_at(sh_value list, uint32_t index) { return sh__float_at(list.id, index); }
static inline bool sh_bool_at(sh_value list, uint32_t index) { return sh__bool_at(list.id, index) != 0; }
static inline sh_text sh_text_at(sh_value list, uint32_t index) { return sh__returned(sh__text_at(list.id, index)); }
static inline sh_value sh_element(sh_value list, uint32_t index) { return (sh_value){sh__element(list.id, index)}; }

/* Intents: what is put before the extension returns is in them. */

static inline sh_intent sh_insert(sh_key key) { return (sh_intent){sh__insert(key.id)}; }
static inline sh_intent sh_update(sh_key key, sh_value existing) {
    return (sh_intent){sh__update(key.id, existing.id)};
}
static inline void sh_put_int(sh_intent intent, const char *field, int64_t value) {
    sh__put_int(intent.id, SH__OF_INTENT, field, sh__size(field), value);
}
static inline void sh_put_float(sh_intent intent, const char *field, double value) {
    sh__put_float(intent.id, SH__OF_INTENT, field, sh__size(field), value);
}
static inline void sh_put_bool(sh_intent intent, const char *field, bool value) {
    sh__put_bool(intent.id, SH__OF_INTENT, field, sh__size(field), value);
}
static inline void sh_put_text(sh_intent intent, const char *field, sh_text value) {
    sh__put_text(intent.id, SH__OF_INTENT, field, sh__size(field), value.data, value.size);
}

static inline void sh_put_bytes(sh_intent intent, const char *field, sh_text value) {
    sh__put_bytes(intent.id, SH__OF_INTENT, field, sh__size(field), value.data, value.size);
}
static inline void sh_put_qname(sh_intent intent, const char *field, sh_text package, sh_text entity) {
    uint32_t size = sh__size(field);
    sh__put_qname(intent.id, SH__OF_INTENT, field, size, package.data, package.size, entity.data, entity.size);
}

/* Failing: the caller gets the message, and nothing that was asked for is done. */

__attribute__((import_module("wasi_snapshot_preview1"), import_name("fd_write"))) int32_t
sh__print(int32_t descriptor, const sh_text *pieces, uint32_t count, uint32_t *written);

_Noreturn static inline void sh_fail(const char *message) {
    sh_text pieces[] = {sh_literal("panic: "), sh_literal(message), sh_literal("\n")};
    uint32_t written;
    sh__print(1, pieces, 3, &written);
    __builtin_trap();
}

/* What the host expects of every guest. It takes memory for what it returns, and keeps it for the next call; a
   guest that takes none of its own needs no more than this. */

extern char __heap_base;

SH_EXPORT(malloc) void *sh__malloc(uint32_t size) {
    static uintptr_t next;
    if (!next) next = (uintptr_t)&__heap_base;
    uintptr_t start = (next + 15) & ~(uintptr_t)15, end = start + size;
    uintptr_t have = __builtin_wasm_memory_size(0) * 65536;
    if (end < start) return NULL;
    if (end > have && __builtin_wasm_memory_grow(0, (end - have + 65535) / 65536) == (size_t)-1) return NULL;
    next = end;
    return (void *)start;
}
SH_EXPORT(free) void sh__free(void *memory) { (void)memory; }
SH_EXPORT(WasmOnReadValue) void sh__on_read_value(uint64_t row, uint64_t value) {
    sh__on_row((sh_row){row}, (sh_value){value});
}
SH_EXPORT(WasmAbiVersion_0_0_1) void sh__version(void) {}
SH_EXPORT(WasmGetHeapInuse) uint64_t sh__heap_in_use(void) { return 0; }
SH_EXPORT(WasmGetHeapSys) uint64_t sh__heap_size(void) { return __builtin_wasm_memory_size(0) * 65536; }
SH_EXPORT(WasmGetMallocs) uint64_t sh__mallocs(void) { return 0; }
SH_EXPORT(WasmGetFrees) uint64_t sh__frees(void) { return 0; }
SH_EXPORT(WasmGC) void sh__collect(void) {}

#endif
