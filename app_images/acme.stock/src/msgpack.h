/* As much of msgpack as a sidecar needs: https://github.com/msgpack/msgpack/blob/master/spec.md */
#ifndef MSGPACK_H
#define MSGPACK_H

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

void fail(const char *why); /* ends the process */

/* Bytes that are somebody else's. */
typedef struct {
    const uint8_t *at;
    size_t length;
} Bytes;

/* ---- Reading: what does not fit ends the process, because the host sends nothing such. ---- */

typedef struct {
    const uint8_t *at, *end;
} In;

static uint64_t in_big_endian(In *in, size_t count)
{
    uint64_t number = 0;
    if ((size_t)(in->end - in->at) < count)
        fail("a frame ends too early");
    while (count--)
        number = number << 8 | *in->at++;
    return number;
}

static Bytes in_bytes(In *in, uint64_t length)
{
    Bytes found = {in->at, length};
    if ((uint64_t)(in->end - in->at) < length)
        fail("a frame ends too early");
    in->at += length;
    return found;
}

static int64_t in_int(In *in)
{
    uint8_t tag = in_big_endian(in, 1);
    if (tag < 0x80)
        return tag;
    if (tag >= 0xe0)
        return (int8_t)tag;
    switch (tag) {
    case 0xcc: return in_big_endian(in, 1);
    case 0xcd: return in_big_endian(in, 2);
    case 0xce: return in_big_endian(in, 4);
    case 0xcf: return in_big_endian(in, 8);
    case 0xd0: return (int8_t)in_big_endian(in, 1);
    case 0xd1: return (int16_t)in_big_endian(in, 2);
    case 0xd2: return (int32_t)in_big_endian(in, 4);
    case 0xd3: return in_big_endian(in, 8);
    }
    fail("expected an integer");
    return 0;
}

/* A text or bytes. */
static Bytes in_text(In *in)
{
    uint8_t tag = in_big_endian(in, 1);
    if ((tag & 0xe0) == 0xa0)
        return in_bytes(in, tag & 0x1f);
    if (tag >= 0xd9 && tag <= 0xdb)
        return in_bytes(in, in_big_endian(in, 1u << (tag - 0xd9)));
    if (tag >= 0xc4 && tag <= 0xc6)
        return in_bytes(in, in_big_endian(in, 1u << (tag - 0xc4)));
    fail("expected a text");
    return (Bytes){0, 0};
}

/* The number of elements of an array (tag 0x90), or of pairs of a map (0x80). */
static size_t in_many(In *in, uint8_t small, uint8_t large)
{
    uint8_t tag = in_big_endian(in, 1);
    if ((tag & 0xf0) == small)
        return tag & 0x0f;
    if (tag == large || tag == large + 1)
        return in_big_endian(in, tag == large ? 2 : 4);
    fail("expected an array or a map");
    return 0;
}

static size_t in_array(In *in) { return in_many(in, 0x90, 0xdc); }
static size_t in_map(In *in) { return in_many(in, 0x80, 0xde); }

/* Anything at all: returns its bytes. */
static Bytes in_any(In *in)
{
    const uint8_t *begin = in->at;
    /* How many more values there are to skip: no recursion, however deep they are. */
    for (uint64_t left = 1; left; left--) {
        uint8_t tag = in_big_endian(in, 1);
        if (tag < 0x80 || tag >= 0xe0 || tag == 0xc0 || tag == 0xc2 || tag == 0xc3)
            continue;
        else if (tag < 0x90)
            left += 2 * (tag & 0x0f);
        else if (tag < 0xa0)
            left += tag & 0x0f;
        else if (tag < 0xc0)
            in_bytes(in, tag & 0x1f);
        else if (tag <= 0xc6)
            in_bytes(in, in_big_endian(in, 1u << (tag - 0xc4)));
        else if (tag <= 0xc9)
            in_bytes(in, in_big_endian(in, 1u << (tag - 0xc7)) + 1);
        else if (tag <= 0xcb)
            in_bytes(in, tag == 0xca ? 4 : 8);
        else if (tag <= 0xd3)
            in_bytes(in, 1u << (tag & 3));
        else if (tag <= 0xd8)
            in_bytes(in, (1u << (tag - 0xd4)) + 1);
        else if (tag <= 0xdb)
            in_bytes(in, in_big_endian(in, 1u << (tag - 0xd9)));
        else
            left += in_big_endian(in, tag & 1 ? 4 : 2) * (tag >= 0xde ? 2 : 1);
    }
    return (Bytes){begin, in->at - begin};
}

/* ---- Writing, into memory that grows. ---- */

typedef struct {
    uint8_t *data;
    size_t length, room;
} Out;

static void out_raw(Out *out, const void *data, size_t length)
{
    if (out->room - out->length < length) {
        out->room = 2 * (out->length + length);
        out->data = realloc(out->data, out->room);
        if (!out->data)
            fail("no memory");
    }
    memcpy(out->data + out->length, data, length);
    out->length += length;
}

static void out_tagged(Out *out, uint8_t tag, uint64_t number, int count)
{
    uint8_t bytes[9] = {tag};
    for (int at = count; at; at--, number >>= 8)
        bytes[at] = (uint8_t)number;
    out_raw(out, bytes, count + 1);
}

static void out_nil(Out *out) { out_tagged(out, 0xc0, 0, 0); }
static void out_bool(Out *out, bool yes) { out_tagged(out, yes ? 0xc3 : 0xc2, 0, 0); }
static void out_array(Out *out, uint32_t count) { out_tagged(out, 0xdd, count, 4); }
static void out_map(Out *out, uint32_t pairs) { out_tagged(out, 0xdf, pairs, 4); }

static void out_int(Out *out, int64_t number)
{
    if (number >= 0 && number < 0x80)
        out_tagged(out, (uint8_t)number, 0, 0);
    else
        out_tagged(out, 0xd3, (uint64_t)number, 8);
}

static void out_text(Out *out, const char *text)
{
    size_t length = strlen(text);
    out_tagged(out, 0xdb, length, 4);
    out_raw(out, text, length);
}

#endif
