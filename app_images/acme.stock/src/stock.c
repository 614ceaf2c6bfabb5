/* What there is of each item, as a storage in C: a sidecar that speaks docs/sidecar-protocol.md.
 *
 * One lane, one question after the other. The rows are in memory, in the order of their keys; every
 * APPLY is appended to a file in the data folder first, and read from there by whoever opens it next,
 * or has it open already, such as the version before or after.
 */
#define _GNU_SOURCE
#include "msgpack.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LANE = 3, LOG_LANE = 4 };
enum {
    HELLO = 1, DESCRIBE = 2, CHECK_CONFIG = 3, PING = 5, STOP = 6, OPEN = 8, FREE = 9,
    GET = 16, GETBATCH = 17, READ = 18, VALIDATE = 19, APPLY = 20, MORE = 24, CANCEL = 25,
    OK = 32, ERROR = 33, ROWS = 34, LOG = 36,
};
enum { VERSION = 1, INFO = 20, CREDIT = 2, CHUNK = 128 * 1024, LONGEST_ITEM = 4096 };
#define MAX_FRAME (64u * 1024 * 1024)

void fail(const char *why)
{
    fprintf(stderr, "stock: %s\n", why);
    exit(1);
}

/* ---- Frames: a length in four bytes, little endian, and an array. ---- */

static void read_all(uint8_t *into, size_t length)
{
    while (length) {
        ssize_t got = read(LANE, into, length);
        if (got == 0)
            exit(0); /* the host has closed the lane, or is gone */
        if (got < 0 && errno != EINTR)
            fail("the lane is broken");
        if (got > 0) {
            into += got;
            length -= got;
        }
    }
}

/* The next frame from the host; it is there until the next one is taken. */
static In take(void)
{
    static uint8_t *frame;
    static size_t room;
    uint8_t header[4];
    read_all(header, 4);
    size_t length = header[0] | header[1] << 8 | header[2] << 16 | (size_t)header[3] << 24;
    if (length > MAX_FRAME)
        fail("a frame is too long");
    if (length > room && !(frame = realloc(frame, room = length)))
        fail("no memory");
    read_all(frame, length);
    return (In){frame, frame + length};
}

/* Answers are made here, one at a time: [kind, id, result]. */
static Out answer;

static void begin(int kind, int64_t id)
{
    answer.length = 0;
    out_raw(&answer, "\0\0\0\0", 4);
    out_array(&answer, 3);
    out_int(&answer, kind);
    out_int(&answer, id);
}

static void say(void)
{
    size_t length = answer.length - 4;
    for (int at = 0; at < 4; at++)
        answer.data[at] = (uint8_t)(length >> 8 * at);
    for (size_t sent = 0; sent < answer.length;) {
        ssize_t gone = write(LANE, answer.data + sent, answer.length - sent);
        if (gone < 0 && errno != EINTR)
            exit(0);
        sent += gone > 0 ? gone : 0;
    }
}

static void say_ok(int64_t id)
{
    begin(OK, id);
    out_nil(&answer);
    say();
}

/* An exception, which the host raises: a StorageError. */
static void say_error(int64_t id, const char *text)
{
    begin(ERROR, id);
    out_map(&answer, 4);
    out_text(&answer, "type"), out_text(&answer, "StorageError");
    out_text(&answer, "known"), out_text(&answer, "StorageError");
    out_text(&answer, "message"), out_text(&answer, text);
    out_text(&answer, "attributes"), out_map(&answer, 2);
    out_text(&answer, "message"), out_text(&answer, text);
    out_text(&answer, "hint"), out_text(&answer, "");
    say();
}

static void say_log(int64_t handle, int level, const char *text)
{
    Out record = {0};
    out_array(&record, 4);
    out_int(&record, LOG), out_int(&record, handle), out_int(&record, level), out_text(&record, text);
    /* One packet is one record; what the host cannot take at once is lost. */
    (void)!write(LOG_LANE, record.data, record.length);
    free(record.data);
}

/* ---- Rows: key [WSID, Item], value [Amount, Place]. ---- */

typedef struct {
    int64_t wsid;
    Bytes item;
    size_t given; /* READ may leave out the Item, or both: then all rows are meant */
} Key;

typedef struct {
    int64_t wsid;
    uint8_t *item, *value; /* the value as msgpack, ready to be sent */
    size_t item_length, value_length;
} Row;

typedef struct Stock {
    struct Stock *next;
    int64_t handle;
    int file;
    off_t seen; /* how much of the file the rows have */
    Row *rows;
    size_t count, room;
} Stock;

static Stock *stocks;

static Key in_key(In *in)
{
    Key key = {0};
    key.given = in_array(in);
    if (key.given > 2)
        fail("a key has WSID and Item");
    key.wsid = key.given > 0 ? in_int(in) : INT64_MIN;
    if (key.given > 1)
        key.item = in_text(in);
    return key;
}

static int compare(const Row *row, const Key *key)
{
    if (row->wsid != key->wsid)
        return row->wsid < key->wsid ? -1 : 1;
    size_t shorter = row->item_length < key->item.length ? row->item_length : key->item.length;
    int order = shorter ? memcmp(row->item, key->item.at, shorter) : 0;
    if (order)
        return order;
    return row->item_length == key->item.length ? 0 : row->item_length < key->item.length ? -1 : 1;
}

static bool begins(const Row *row, const Key *key)
{
    return key->given == 0 || (key->given == 1 ? row->wsid == key->wsid : !compare(row, key));
}

/* The place of the first row that is not before the key. */
static size_t place(const Stock *stock, const Key *key)
{
    size_t low = 0, high = stock->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (compare(&stock->rows[middle], key) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static const Row *find(const Stock *stock, const Key *key)
{
    size_t at = place(stock, key);
    return at < stock->count && !compare(&stock->rows[at], key) ? &stock->rows[at] : NULL;
}

static uint8_t *copied(Bytes bytes)
{
    uint8_t *copy = malloc(bytes.length + 1);
    if (!copy)
        fail("no memory");
    memcpy(copy, bytes.at, bytes.length);
    return copy;
}

static void put(Stock *stock, const Key *key, Bytes value)
{
    size_t at = place(stock, key);
    if (at == stock->count || compare(&stock->rows[at], key)) {
        if (stock->count == stock->room) {
            stock->room = 2 * stock->room + 64;
            if (!(stock->rows = realloc(stock->rows, stock->room * sizeof(Row))))
                fail("no memory");
        }
        memmove(&stock->rows[at + 1], &stock->rows[at], (stock->count++ - at) * sizeof(Row));
        stock->rows[at] = (Row){key->wsid, copied(key->item), NULL, key->item.length, 0};
    }
    free(stock->rows[at].value);
    stock->rows[at].value = copied(value);
    stock->rows[at].value_length = value.length;
}

static void forget_rows(Stock *stock)
{
    for (size_t at = 0; at < stock->count; at++) {
        free(stock->rows[at].item);
        free(stock->rows[at].value);
    }
    free(stock->rows);
}

/* ---- The file: one record per APPLY, a length and the intents [[key, value, is new] ...]. ---- */

static void put_all(Stock *stock, In in)
{
    for (size_t count = in_array(&in); count; count--) {
        in_array(&in);
        Key key = in_key(&in);
        Bytes value = in_any(&in);
        in_any(&in);
        put(stock, &key, value);
    }
}

/* Take what others have appended; what is not whole was never answered. */
static void catch_up(Stock *stock)
{
    struct stat now;
    if (fstat(stock->file, &now))
        fail("the file is gone");
    while (now.st_size - stock->seen >= 4) {
        uint32_t length;
        if (pread(stock->file, &length, 4, stock->seen) != 4 || now.st_size - stock->seen - 4 < length)
            return;
        uint8_t *record = malloc(length + 1);
        if (!record || pread(stock->file, record, length, stock->seen + 4) != (ssize_t)length)
            fail("the file cannot be read");
        put_all(stock, (In){record, record + length});
        free(record);
        stock->seen += 4 + length;
    }
}

/* Append the intents, and return why not. */
static const char *append(Stock *stock, Bytes intents)
{
    uint32_t length = intents.length;
    const char *trouble = NULL;
    if (flock(stock->file, LOCK_EX))
        return strerror(errno);
    catch_up(stock);
    /* After what is whole there may be the beginning of a record whose writer was killed. */
    if (ftruncate(stock->file, stock->seen)
        || pwrite(stock->file, &length, 4, stock->seen) != 4
        || pwrite(stock->file, intents.at, length, stock->seen + 4) != (ssize_t)length
        || fdatasync(stock->file)) {
        trouble = errno ? strerror(errno) : "the disk is full";
        (void)!ftruncate(stock->file, stock->seen);
    } else {
        catch_up(stock);
    }
    flock(stock->file, LOCK_UN);
    return trouble;
}

/* ---- Questions. ---- */

static void hello(int64_t id, In in)
{
    for (size_t pairs = in_map(&in); pairs; pairs--) {
        Bytes name = in_text(&in);
        if (name.length != 8 || memcmp(name.at, "versions", 8)) {
            in_any(&in);
            continue;
        }
        for (size_t count = in_array(&in); count; count--) {
            if (in_int(&in) == VERSION) {
                begin(OK, id);
                out_map(&answer, 2);
                out_text(&answer, "version"), out_int(&answer, VERSION);
                out_text(&answer, "features"), out_array(&answer, 0);
                say();
                return;
            }
        }
    }
    say_error(id, "this sidecar speaks version 1 of the protocol");
}

static void out_field(const char *name, const char *type, bool required)
{
    out_array(&answer, 6);
    out_text(&answer, name), out_text(&answer, type), out_bool(&answer, required);
    out_nil(&answer), out_bool(&answer, false), out_bool(&answer, false);
}

static void describe(int64_t id)
{
    static const char *operations[] = {"GET", "GETBATCH", "READ", "INSERT", "UPDATE"};
    begin(OK, id);
    out_map(&answer, 3);
    out_text(&answer, "distribution"), out_text(&answer, "acme-stock");
    out_text(&answer, "version"), out_text(&answer, "1.0");
    out_text(&answer, "providers"), out_array(&answer, 1);
    out_map(&answer, 5);
    out_text(&answer, "name"), out_text(&answer, "Stock");
    out_text(&answer, "description"), out_text(&answer, "what there is of each item");
    out_text(&answer, "operations"), out_map(&answer, 5);
    for (int at = 0; at < 5; at++) {
        out_text(&answer, operations[at]), out_array(&answer, 4);
        out_text(&answer, "COMMANDS"), out_text(&answer, "QUERIES");
        out_text(&answer, "PROJECTORS"), out_text(&answer, "JOBS");
    }
    out_text(&answer, "key"), out_array(&answer, 1), out_field("Item", "text", true);
    out_text(&answer, "value"), out_array(&answer, 2);
    out_field("Amount", "int64", true), out_field("Place", "text", false);
    say();
}

static void open_stock(int64_t id, int64_t handle, In in)
{
    Bytes folder = {0, 0};
    char path[4096], text[4200];
    for (size_t pairs = in_map(&in); pairs; pairs--) {
        Bytes name = in_text(&in);
        if (name.length == 11 && !memcmp(name.at, "data_folder", 11))
            folder = in_text(&in);
        else
            in_any(&in);
    }
    snprintf(path, sizeof path, "%.*s/stock.log", (int)folder.length, (const char *)folder.at);
    int file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (file < 0) {
        snprintf(text, sizeof text, "%s: %s", path, strerror(errno));
        say_error(id, text);
        return;
    }
    Stock *stock = calloc(1, sizeof *stock);
    if (!stock)
        fail("no memory");
    *stock = (Stock){.next = stocks, .handle = handle, .file = file};
    stocks = stock;
    catch_up(stock);
    snprintf(text, sizeof text, "opened with %zu items", stock->count);
    say_log(handle, INFO, text);
    begin(OK, id);
    out_map(&answer, 4);
    out_text(&answer, "type"), out_text(&answer, "Stock");
    out_text(&answer, "looked"), out_bool(&answer, false); /* not at the version before: both have the file */
    out_text(&answer, "methods"), out_array(&answer, 8);
    out_text(&answer, "get"), out_text(&answer, "get_batch"), out_text(&answer, "read");
    out_text(&answer, "rows");
    out_text(&answer, "value_to_insert"), out_text(&answer, "value_to_update");
    out_text(&answer, "validate"), out_text(&answer, "apply_batch");
    /* The host makes these itself: it stores what it is given, and what is there with the changes. */
    out_text(&answer, "usual"), out_array(&answer, 2);
    out_text(&answer, "value_to_insert"), out_text(&answer, "value_to_update");
    say();
}

static void free_stock(int64_t id, Stock *stock)
{
    Stock **link = &stocks;
    while (*link != stock)
        link = &(*link)->next;
    *link = stock->next;
    close(stock->file);
    forget_rows(stock);
    free(stock);
    begin(OK, id);
    out_array(&answer, 0); /* nothing went wrong */
    say();
}

static void out_found(const Row *row)
{
    if (row)
        out_raw(&answer, row->value, row->value_length);
    else
        out_nil(&answer);
}

static void get_batch(int64_t id, const Stock *stock, In in)
{
    size_t count = in_array(&in);
    begin(OK, id);
    out_array(&answer, count);
    while (count--) {
        Key key = in_key(&in);
        out_found(find(stock, &key));
    }
    say();
}

/* Send rows in chunks, never more than the host has given credit for. */
static void read_rows(int64_t id, const Stock *stock, In in)
{
    Key key = in_key(&in);
    int credit = CREDIT;
    size_t at = place(stock, &key), end = at, size;
    for (; at < stock->count && begins(&stock->rows[at], &key); at = end) {
        for (size = 0; end < stock->count && size < CHUNK && begins(&stock->rows[end], &key); end++)
            size += stock->rows[end].item_length + stock->rows[end].value_length;
        while (!credit) {
            In said = take();
            in_array(&said);
            if (in_int(&said) == CANCEL) {
                say_ok(id);
                return;
            }
            credit++;
        }
        begin(ROWS, id);
        out_array(&answer, end - at);
        for (size_t each = at; each < end; each++) {
            const Row *row = &stock->rows[each];
            out_array(&answer, 2);
            out_array(&answer, 2), out_int(&answer, row->wsid);
            out_tagged(&answer, 0xdb, row->item_length, 4), out_raw(&answer, row->item, row->item_length);
            out_raw(&answer, row->value, row->value_length);
        }
        say();
        credit--;
    }
    say_ok(id);
}

/* Why the intents cannot be applied, or NULL. */
static const char *refusal(In in)
{
    for (size_t count = in_array(&in); count; count--) {
        in_array(&in);
        if (in_key(&in).item.length > LONGEST_ITEM)
            return "the name of an item has 4096 bytes at most";
        in_any(&in);
        in_any(&in);
    }
    return NULL;
}

static void say_done(int64_t id, const char *trouble)
{
    if (trouble)
        say_error(id, trouble);
    else
        say_ok(id);
}

int main(void)
{
    for (;;) {
        In in = take();
        size_t count = in_array(&in);
        int64_t kind = in_int(&in), id = in_int(&in);
        if (count == 2)
            continue; /* MORE or CANCEL of a READ that had ended already */
        int64_t handle = in_int(&in);
        in_any(&in); /* the schema: this storage has one */
        in_any(&in); /* the call: it asks for none */
        Stock *stock = stocks;
        while (stock && stock->handle != handle)
            stock = stock->next;
        if (kind == HELLO) {
            hello(id, in);
        } else if (kind == DESCRIBE) {
            describe(id);
        } else if (kind == OPEN) {
            open_stock(id, handle, in);
        } else if (kind == PING || kind == CHECK_CONFIG) {
            say_ok(id);
        } else if (kind == STOP) {
            say_ok(id);
            return 0;
        } else if (!stock) {
            say_error(id, "no such storage is open, or the question is not known");
        } else if (kind == FREE) {
            free_stock(id, stock);
        } else {
            catch_up(stock);
            if (kind == GET) {
                Key key = in_key(&in);
                begin(OK, id);
                out_found(find(stock, &key));
                say();
            } else if (kind == GETBATCH) {
                get_batch(id, stock, in);
            } else if (kind == READ) {
                read_rows(id, stock, in);
            } else if (kind == VALIDATE) {
                say_done(id, refusal(in));
            } else if (kind == APPLY) {
                say_done(id, append(stock, in_any(&in)));
            } else {
                say_error(id, "the question is not known");
            }
        }
    }
}
