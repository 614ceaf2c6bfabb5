/* A museum counts its visitors: a command, a query, a projector and a job. `make` compiles it. */

#include "statehold.h"

#define GATES "acme.example/counter.Gates"
#define ROUNDS "acme.example/counter.Rounds"

enum { MOST_PEOPLE = 500, SECONDS_OF_A_DAY = 86400, LOG_INFO = 3 };

/* Return the argument of the command, the query, or of the event that a projector is called for. */
static sh_value argument(const char *storage) { return sh_inside(sh_must_get(sh_key_of(storage, "")), "ArgumentObject"); }

/* A doorkeeper counts a group. What is counted is in the event that the host logs; here it is only checked. */
SH_EXTENSION(Count) {
    int64_t people = sh_int(argument("sys.CommandContext"), "People");
    if (people == 0) sh_fail("nobody came");
    if (people < 0 || people > MOST_PEOPLE) {
        sh_intent response = sh_insert(sh_key_of("sys.Response", ""));
        sh_put_int(response, "StatusCode", 400);
        sh_put_text(response, "ErrorMessage", sh_literal("a group has 1 to 500 people"));
        return;
    }
    sh_intent result = sh_insert(sh_key_of("sys.Result", ""));
    sh_put_text(result, "Greeting", sh_literal(people == 1 ? "Welcome" : "Welcome to you all"));
}

/* Add each group to what has come through its gate. */
SH_EXTENSION(CountGates) {
    sh_value group = argument("sys.Event");
    int64_t people = sh_int(group, "People");

    sh_key key = sh_key_of("sys.View", GATES);
    sh_key_int(key, "Day", sh_int(group, "Day"));
    sh_key_text(key, "Gate", sh_text_of(group, "Gate"));

    sh_value before;
    if (!sh_get(key, &before)) {
        sh_intent first = sh_insert(key);
        sh_put_int(first, "People", people);
        sh_put_int(first, "Groups", 1);
        sh_put_int(first, "Largest", people);
        return;
    }
    sh_intent more = sh_update(key, before);
    sh_put_int(more, "People", sh_int(before, "People") + people);
    sh_put_int(more, "Groups", sh_int(before, "Groups") + 1);
    if (people > sh_int(before, "Largest")) sh_put_int(more, "Largest", people);
}

static void tell(sh_row row, sh_value gate) {
    sh_intent result = sh_insert(sh_key_of("sys.Result", ""));
    sh_put_text(result, "Gate", sh_row_text(row, "Gate"));
    sh_put_int(result, "People", sh_int(gate, "People"));
    sh_put_int(result, "Groups", sh_int(gate, "Groups"));
    sh_put_int(result, "Largest", sh_int(gate, "Largest"));
}

/* Tell who came through which gate on a day. */
SH_EXTENSION(Day) {
    sh_key key = sh_key_of("sys.View", GATES);
    sh_key_int(key, "Day", sh_int(argument("sys.QueryContext"), "Day"));
    sh_read(key, tell);
}

/* Once an hour, the guard looks around and writes down when. */
SH_EXTENSION(LookAround) {
    int64_t now = sh_int(sh_must_get(sh_key_of("sys.JobContext", "")), "UnixTime");

    sh_key key = sh_key_of("sys.View", ROUNDS);
    sh_key_int(key, "Day", now / SECONDS_OF_A_DAY);
    sh_key_int(key, "Second", now % SECONDS_OF_A_DAY);
    sh_put_text(sh_insert(key), "Note", sh_literal("all quiet"));

    sh_key log = sh_key_of("sys.Logger", "");
    sh_key_int(log, "LogLevel", LOG_INFO);
    sh_put_text(sh_insert(log), "Message", sh_literal("the guard has looked around"));
}
