/*
 * Who uses the suite: clients that make up events and commands, send them, send them again with
 * the same key until they are answered, and keep all of it for the oracle.
 */
#ifndef KITH_TESTS_SIM_CLIENTS_H
#define KITH_TESTS_SIM_CLIENTS_H

#include "tests/sim/sim_world.h"

#define SIM_ITEMS_MAX 8
#define SIM_CUSTOMERS_MAX 12
#define SIM_PROGRAMMES 2
#define SIM_SEGMENTS 4
#define SIM_CAMPAIGNS 4
#define SIM_PAGE 1000
/* Behind the clients: who makes nothing up, but leads feeds on that stand still. */
#define SIM_OPERATOR SIM_CLIENTS

enum sim_what {
    SIM_INGEST,
    SIM_ENTRY_RETRY,
    SIM_ENTRY_DROP,
    SIM_ADVANCE,
    SIM_SPEND,
    SIM_POST,
    SIM_REVERSE,
    SIM_TRIGGER,
    SIM_REUSE, /* a key that another command has */
    SIM_ACCEPT,
    SIM_ACCEPT_WRONG, /* of a feed that the service does not read */
    SIM_QUESTION,
};

enum sim_question {
    SIM_ASK_BALANCE,
    SIM_ASK_LIST,
    SIM_ASK_TOTALS,
    SIM_ASK_ACCOUNTS,
    SIM_ASK_DECISIONS,
    SIM_ASK_STATUS,
    SIM_ASK_COUNT,
};

/* An event as it was made up, or a row that is none. */
struct sim_story {
    bool is_raw;
    bool is_broken; /* an event that breaks a rule of its form */
    char source[16];
    char id[24];
    char type[24];
    unsigned customer;
    int64_t occurred_at_ms;
    int64_t amount_minor; /* 0: none */
    char attribute[16];   /* empty: none */
    char value[24];
    uint8_t *bytes; /* as they are sent */
    size_t size;
};

struct sim_posting {
    bool is_grant;
    unsigned customer;
    unsigned programme;
    int64_t points;
};

struct sim_command {
    uint64_t number; /* its request id */
    unsigned client;
    unsigned node;
    enum sim_what what;
    const char *method;
    char key[24];
    int64_t issued_at_ms;
    uint32_t timeout_ms;
    struct buffer body;
    /* what it says */
    size_t item_count;
    struct sim_story items[SIM_ITEMS_MAX];
    char run[16];
    uint64_t run_batch;
    uint64_t entry;
    size_t posting_count;
    struct sim_posting postings[SIM_ITEMS_MAX];
    bool is_whole;     /* all or nothing */
    uint64_t reverses; /* a posting of the same node */
    unsigned campaign;
    unsigned customer;
    enum sim_question question;
    unsigned subject; /* of a question: programme, segment, campaign */
    int64_t by_ms;
    unsigned feed; /* of its node's */
    uint64_t from;
    /* what became of it */
    uint64_t attempts;
    int64_t next_at_us;
    uint64_t starts; /* of its node when it was first sent */
    bool was_put_off;
    uint64_t answers;
    bool is_answered;
    unsigned code;
    char message[256];
    uint8_t *answer;
    size_t answer_size;
};

struct sim_client {
    unsigned number;
    struct sim_random random;
    size_t open; /* sent and not answered */
    uint64_t run_batch;
    uint64_t left; /* commands still to make up */
};

struct sim_clients {
    struct sim_world *world;
    unsigned customer_count;
    char customers[SIM_CUSTOMERS_MAX][24];
    uint32_t partitions[SIM_CUSTOMERS_MAX];
    struct sim_client clients[SIM_CLIENTS + 1];
    struct sim_command **commands;
    size_t count;
    size_t answered;
    size_t first_question; /* of those that are asked in the end; 0: not yet */
    int64_t story_ms;      /* event clock: when things happen by now */
    uint64_t events;       /* made up so far */
    struct buffer header;
};

/* Why a feed is led on. */
#define SIM_REASON "its journal was copied"

extern const char *const sim_programmes[SIM_PROGRAMMES];
extern const char *const sim_segments[SIM_SEGMENTS];
extern const char *const sim_campaigns[SIM_CAMPAIGNS];

void sim_clients_open(struct sim_world *world);
void sim_clients_close(struct sim_world *world);
/* A client makes up something new and sends it. */
void sim_client_ask(struct sim_world *world, unsigned client);
/* Sends again what is not answered in its time. */
void sim_clients_retry(struct sim_world *world);
/* Takes what has arrived at a client's port. */
void sim_client_hear(struct sim_world *world, unsigned port);
bool sim_clients_are_done(const struct sim_world *world);
/* The questions by which the oracle judges. */
void sim_clients_ask_last(struct sim_world *world);

uint32_t sim_shard_of_customer(const struct sim_world *world, const char *service,
                               unsigned customer);
/* The `number`th client's port. */
unsigned sim_client_port(unsigned number);

/* ---- sim_clients.c, for the operator */
struct sim_command *sim_command_add(struct sim_clients *clients, unsigned client);
/* Keeps it, and sends it to its node. */
void sim_command_begin(struct sim_clients *clients, struct sim_command *command);

/* ---- sim_operator.c */
/* Leads on what stands still because its producer's journal was replaced, if it can be done now. */
void sim_operator_look(struct sim_world *world);

#endif
