/* Calls, messages and data of a day: each of them, or their sums. */
#include "cli/gen_draw.h"
#include "cli/gen_slot.h"

#include <assert.h>

/* What a use is worth by the list of prices, in minor units. */
#define VOICE_MINUTE 5
#define MESSAGE 6
#define MEGABYTES_PER_MINOR 10
#define ROAMING_MINUTE 49
#define ROAMING_MEGABYTES_PER_MINOR 1
#define SECONDS 60
/* Before a leaver falls silent, there are days of little use. */
#define FADING_DAYS 30

#define CATEGORY_FIRST GEN_VOICE
#define CATEGORIES (GEN_ROAMING - GEN_VOICE + 1)

struct day_use {
    const struct gen_visit *visit;
    struct gen_slot *slot;
    uint64_t drawn;
    bool each; /* each call, not the day's sums */
    bool travels;
    uint32_t made; /* so far */
    struct gen_event sums[CATEGORIES];
};

/* Half of what people do they do in their busy part of the day; nights are quiet. */
static int32_t use_pass(const struct day_use *use, uint64_t drawn)
{
    return (drawn >> 63) != 0
               ? use->slot->person.busy_pass
               : GEN_WAKE_PASS + (int32_t)(drawn >> 40) % (GEN_PASSES - GEN_WAKE_PASS);
}

static uint64_t use_draw(struct day_use *use)
{
    use->made++;
    return gen_draw(use->drawn, GEN_DRAW_DAYS + use->made);
}

static void use_take(struct day_use *use, uint64_t drawn, const struct gen_event *one)
{
    if (use->each) {
        if (use_pass(use, drawn) == use->visit->pass) {
            gen_slot_add(use->slot, one);
        }
        return;
    }
    struct gen_event *sum = &use->sums[one->category - CATEGORY_FIRST];
    sum->has_amount = true; /* there is something to write */
    sum->amount_minor += one->amount_minor;
    sum->seconds += one->seconds;
    sum->messages += one->messages;
    sum->megabytes += one->megabytes;
}

static struct gen_event use_of(const struct day_use *use, enum gen_category category)
{
    return (struct gen_event){ .type = GEN_USAGE,
                               .category = use->travels ? GEN_ROAMING : category,
                               .subject = use->slot->person.number,
                               .has_amount = true };
}

static void calls_make(struct day_use *use)
{
    const struct gen_habit *habit = use->slot->person.habit;
    uint32_t count = 1 + gen_slice(use_draw(use), 0, habit->calls_most);
    for (uint32_t i = 0; i < count; i++) {
        uint64_t drawn = use_draw(use);
        struct gen_event call = use_of(use, GEN_VOICE);
        /* Many short calls and few long ones. */
        call.seconds =
            5 + gen_slice(drawn, 0, habit->call_seconds) * (1 + gen_slice(drawn, 1, 4)) / 2;
        uint32_t minutes = (call.seconds + SECONDS - 1) / SECONDS;
        call.amount_minor = minutes * (use->travels ? ROAMING_MINUTE : VOICE_MINUTE);
        use_take(use, drawn, &call);
    }
}

static void messages_make(struct day_use *use)
{
    uint32_t count = 1 + gen_slice(use_draw(use), 0, use->slot->person.habit->messages_most);
    for (uint32_t i = 0; i < count; i++) {
        struct gen_event message = use_of(use, GEN_MESSAGES);
        message.messages = 1;
        message.amount_minor = MESSAGE;
        use_take(use, use_draw(use), &message);
    }
}

static void sessions_make(struct day_use *use)
{
    const struct gen_person *person = &use->slot->person;
    uint32_t count = 1 + gen_slice(use_draw(use), 0, person->habit->sessions_most);
    uint32_t usual = person->habit->session_megabytes * person->appetite / 4;
    for (uint32_t i = 0; i < count; i++) {
        uint64_t drawn = use_draw(use);
        struct gen_event session = use_of(use, GEN_DATA);
        session.megabytes = 1 + usual / 4 + gen_slice(drawn, 0, usual + usual / 2 + 1);
        session.megabytes /= use->travels ? 8 : 1;
        session.amount_minor =
            session.megabytes / (use->travels ? ROAMING_MEGABYTES_PER_MINOR : MEGABYTES_PER_MINOR);
        use_take(use, drawn, &session);
    }
}

static void sums_begin(struct day_use *use)
{
    for (uint32_t i = 0; i < CATEGORIES; i++) {
        use->sums[i] = (struct gen_event){ .type = GEN_USAGE,
                                           .category = (enum gen_category)(CATEGORY_FIRST + i),
                                           .subject = use->slot->person.number };
    }
}

static void sums_add(struct day_use *use)
{
    for (uint32_t i = 0; i < CATEGORIES; i++) {
        if (use->sums[i].has_amount) {
            gen_slot_add(use->slot, &use->sums[i]);
        }
    }
}

/* Out of 10,000. */
static uint32_t chance_today(const struct gen_person *person, const struct gen_date *date,
                             uint32_t usual)
{
    uint32_t chance = date->is_weekend ? usual * person->habit->weekend_percent / 100 : usual;
    return date->day >= person->quiet_day - FADING_DAYS ? chance / 3 : chance;
}

void gen_usage_add(const struct gen_world *world, const struct gen_visit *visit,
                   struct gen_slot *slot)
{
    const struct gen_person *person = &slot->person;
    const struct gen_date *date = &visit->date;
    if (date->day >= person->quiet_day || gen_person_sleeps(person, date->day)) {
        return;
    }
    uint64_t today = gen_today(person, date->day);
    struct day_use use = { .visit = visit,
                           .slot = slot,
                           .drawn = gen_draw(today, GEN_DRAW_CALLS),
                           .each = world->calls,
                           .travels = gen_person_travels(person, date) };
    sums_begin(&use);
    if (gen_chance(today, 0, chance_today(person, date, person->habit->voice))) {
        calls_make(&use);
    }
    if (gen_chance(today, 1, chance_today(person, date, person->habit->messages))) {
        messages_make(&use);
    }
    if (gen_chance(today, 2, chance_today(person, date, person->habit->data))) {
        sessions_make(&use);
    }
    sums_add(&use);
}
