/* Readings of meters, sorted by workspace, meter and time. */

#include "statehold_storage.h"

SH_DESCRIPTION("meter.json")

enum { FIELDS = 3, CHUNK = 32768, USUAL_NOTE = 4096 };

/* A key, or as much of one as `fields` says. */
typedef struct { uint32_t fields; int64_t workspace; sh_text meter; int64_t at; } key;
typedef struct { int64_t workspace, at; double reading; bool has_reading, has_note; sh_text meter, note; } row;
typedef struct { bool used, begun; key prefix, last; } cursor;

static row **rows;
static uint32_t count, room;
static cursor *cursors;
static uint32_t cursor_count;
static uint32_t longest_note = USUAL_NOTE;

static key key_of(const row *one) { return (key){FIELDS, one->workspace, one->meter, one->at}; }

static int compare(const row *one, const key *with) {
    if (with->fields > 0 && one->workspace != with->workspace) return one->workspace < with->workspace ? -1 : 1;
    int order = with->fields > 1 ? sh_compare(one->meter, with->meter) : 0;
    if (order) return order;
    if (with->fields > 2 && one->at != with->at) return one->at < with->at ? -1 : 1;
    return 0;
}

/* Return the index of the first row that is not before *at*; or, with *after*, of the first one after it. */
static uint32_t find(const key *at, bool after) {
    uint32_t low = 0, high = count;
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        int order = compare(rows[middle], at);
        if (order < 0 || (after && order == 0)) low = middle + 1;
        else high = middle;
    }
    return low;
}

static const row *look_up(const key *at) {
    uint32_t index = find(at, false);
    return index < count && compare(rows[index], at) == 0 ? rows[index] : NULL;
}

static key read_key(sh_reader *in) {
    key found = {.fields = sh_read_array(in)};
    if (found.fields > FIELDS) in->bad = true;
    if (found.fields > 0) found.workspace = sh_read_int(in);
    if (found.fields > 1) found.meter = sh_read_text(in);
    if (found.fields > 2) found.at = sh_read_int(in);
    return found;
}

static void put_value(const row *one) {
    sh_put_array(2);
    if (one->has_reading) sh_put_float(one->reading);
    else sh_put_nil();
    if (one->has_note) sh_put_text(one->note);
    else sh_put_nil();
}

static void put_row(const row *one) {
    sh_put_array(2);
    sh_put_array(FIELDS);
    sh_put_int(one->workspace);
    sh_put_text(one->meter);
    sh_put_int(one->at);
    put_value(one);
}

/* Read a key and a value; what texts it has is still the host's. */
static row read_row(sh_reader *in) {
    key at = read_key(in);
    row found = {.workspace = at.workspace, .meter = at.meter, .at = at.at};
    if (at.fields != FIELDS || sh_read_array(in) != 2) in->bad = true;
    if (!sh_read_nil(in)) {
        found.has_reading = true;
        found.reading = sh_read_float(in);
    }
    if (!sh_read_nil(in)) {
        found.has_note = true;
        found.note = sh_read_text(in);
    }
    return found;
}

/* Return a copy that owns its texts, NULL where there is no memory left. */
static row *keep(const row *one) {
    row *kept = sh_take(sizeof *kept + one->meter.size + one->note.size);
    if (!kept) return NULL;
    char *texts = (char *)(kept + 1);
    *kept = *one;
    sh_copy(texts, one->meter.data, one->meter.size);
    sh_copy(texts + one->meter.size, one->note.data, one->note.size);
    kept->meter.data = texts;
    kept->note.data = texts + one->meter.size;
    return kept;
}

static bool make_room(uint32_t more) {
    if (count + more <= room) return true;
    uint32_t wanted = (count + more) * 2;
    row **larger = sh_take(wanted * sizeof *larger);
    if (!larger) return false;
    sh_copy(larger, rows, count * sizeof *rows);
    sh_give_back(rows);
    rows = larger;
    room = wanted;
    return true;
}

static void put(row *one) {
    key at = key_of(one);
    uint32_t index = find(&at, false);
    if (index < count && compare(rows[index], &at) == 0) {
        sh_give_back(rows[index]);
    } else {
        sh_move(rows + index + 1, rows + index, (count - index) * sizeof *rows);
        count++;
    }
    rows[index] = one;
}

/* Check all rows of a batch, and with *store* keep them: all, or none and an answer that says why. Each item has
   *width* parts: a key, a value, and of an intent whether it is an INSERT. */
static sh_answer take(const uint8_t *data, uint32_t size, uint32_t width, bool store) {
    sh_reader in = sh_read(data, size);
    uint32_t given = sh_read_array(&in), kept = 0;
    const char *why = NULL;
    row **batch = NULL;
    if (store && given < size) {
        batch = sh_take(given * sizeof *batch);
        if (!batch || !make_room(given)) why = "there is no memory left";
    }
    for (uint32_t index = 0; index < given && !in.bad && !why; index++) {
        if (sh_read_array(&in) != width) in.bad = true;
        row one = read_row(&in);
        if (width > 2) sh_read_bool(&in);
        if (in.bad) break;
        if (one.has_note && one.note.size > longest_note) why = "the Note is longer than LongestNote allows";
        else if (store && !(batch[kept] = keep(&one))) why = "there is no memory left";
        else kept += store;
    }
    if (in.bad) why = "what the host gave cannot be read";
    for (uint32_t index = 0; index < kept; index++) {
        if (why) sh_give_back(batch[index]);
        else put(batch[index]);
    }
    sh_give_back(batch);
    return why ? sh_refuse(why) : SH_NOTHING;
}

SH_EXPORT(statehold_open) sh_answer open_storage(uint32_t index, const uint8_t *data, uint32_t size) {
    (void)index;
    sh_reader in = sh_read(data, size);
    /* Storage, app, version, partition, config, secrets: it needs none but the config. */
    sh_read_array(&in);
    sh_read_text(&in), sh_read_text(&in), sh_read_text(&in), sh_read_int(&in);
    if (sh_read_array(&in) != 1) in.bad = true;
    if (!sh_read_nil(&in)) {
        int64_t longest = sh_read_int(&in);
        if (longest < 0) return sh_refuse("LongestNote is to be 0 or more");
        longest_note = (uint32_t)longest;
    }
    return in.bad ? sh_refuse("what the host gave cannot be read") : SH_NOTHING;
}

SH_EXPORT(statehold_get) sh_answer get(const uint8_t *data, uint32_t size) {
    sh_reader in = sh_read(data, size);
    key at = read_key(&in);
    const row *found = in.bad ? NULL : look_up(&at);
    if (!found) return SH_NOTHING;
    sh_begin();
    put_value(found);
    return sh_answered();
}

SH_EXPORT(statehold_get_batch) sh_answer get_batch(const uint8_t *data, uint32_t size) {
    sh_reader in = sh_read(data, size);
    uint32_t asked = sh_read_array(&in);
    sh_begin();
    sh_put_array(asked);
    while (asked-- && !in.bad) {
        key at = read_key(&in);
        const row *found = in.bad ? NULL : look_up(&at);
        if (found) put_value(found);
        else sh_put_nil();
    }
    return sh_answered();
}

/* Keep a copy of *from*, which owns its text, in *to*. */
static bool remember(key *to, const key *from) {
    char *text = sh_take(from->meter.size);
    if (!text) return false;
    sh_copy(text, from->meter.data, from->meter.size);
    sh_give_back((void *)to->meter.data);
    *to = *from;
    to->meter.data = text;
    return true;
}

static void forget(cursor *one) {
    sh_give_back((void *)one->prefix.meter.data);
    sh_give_back((void *)one->last.meter.data);
    *one = (cursor){0};
}

SH_EXPORT(statehold_read) sh_answer read_rows(const uint8_t *data, uint32_t size) {
    sh_reader in = sh_read(data, size);
    key prefix = read_key(&in);
    uint32_t number = 0;
    while (number < cursor_count && cursors[number].used) number++;
    if (number == cursor_count) {
        cursor *more = sh_take((cursor_count * 2 + 4) * sizeof *more);
        if (!more) return sh_refuse("there is no memory left");
        sh_copy(more, cursors, cursor_count * sizeof *more);
        for (uint32_t at = cursor_count; at < cursor_count * 2 + 4; at++) more[at] = (cursor){0};
        sh_give_back(cursors);
        cursors = more;
        cursor_count = cursor_count * 2 + 4;
    }
    if (in.bad || !remember(&cursors[number].prefix, &prefix)) return sh_refuse("there is no memory left");
    cursors[number].used = true;
    sh_begin();
    sh_put_int(number);
    return sh_answered();
}

/* A READ goes on after the row that it has given last, so rows may come and go in between. */
SH_EXPORT(statehold_next) sh_answer next_rows(uint32_t number) {
    if (number >= cursor_count || !cursors[number].used) return sh_refuse("there is no such READ");
    cursor *one = &cursors[number];
    uint32_t index = one->begun ? find(&one->last, true) : find(&one->prefix, false), given = 0;
    sh_begin();
    sh_put_array(0);
    while (index < count && compare(rows[index], &one->prefix) == 0 && sh_written() < CHUNK) {
        put_row(rows[index++]);
        given++;
    }
    if (!given) {
        forget(one);
        return SH_NOTHING;
    }
    key last = key_of(rows[index - 1]);
    if (!remember(&one->last, &last)) return sh_refuse("there is no memory left");
    one->begun = true;
    sh_set_array(0, given);
    return sh_answered();
}

SH_EXPORT(statehold_end) void end_reading(uint32_t number) {
    if (number < cursor_count && cursors[number].used) forget(&cursors[number]);
}

SH_EXPORT(statehold_validate) sh_answer validate(const uint8_t *data, uint32_t size) {
    return take(data, size, 3, false);
}
SH_EXPORT(statehold_apply) sh_answer apply(const uint8_t *data, uint32_t size) { return take(data, size, 3, true); }

/* The rows of the version before. */
SH_EXPORT(statehold_adopt) sh_answer adopt(const uint8_t *data, uint32_t size) { return take(data, size, 2, true); }
