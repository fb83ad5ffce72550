/*
 * Customers that are known, in memory of a bounded size: a look into it costs a tenth of one
 * into the tables.
 *
 * Who is known stays known, so what is remembered here holds for ever, and what is forgotten is
 * looked up. Answers are the same with it and without.
 */
#ifndef KITH_INGESTION_KNOWN_H
#define KITH_INGESTION_KNOWN_H

#include "common/base/id.h"

/* A customer has one line of the processor's cache, and in it any of four places. */
#define INGESTION_KNOWN_LINE_BYTES 64
#define INGESTION_KNOWN_LINE_IDS 4
/* It begins small, as most suites are, and is doubled up to 32 MiB. Of one million customers
 * nearly all are remembered, of ten million one in five. */
#define INGESTION_KNOWN_LINES_LEAST 256
#define INGESTION_KNOWN_LINES_MOST (512 * 1024)

struct ingestion_known_line {
    struct customer_id ids[INGESTION_KNOWN_LINE_IDS]; /* all zeroes: a free place */
};

/* Begin with zeroes: nobody is remembered. */
struct ingestion_known {
    struct ingestion_known_line *lines; /* on the border of a line */
    size_t line_count;                  /* 0, or a power of two */
    size_t id_count;
    void *memory;
};

void ingestion_known_release(struct ingestion_known *known);
/* It will be asked about soon: its line is far away in memory. */
void ingestion_known_expect(const struct ingestion_known *known, struct customer_id customer);
/* False: not remembered, which says nothing about the customer. */
bool ingestion_known_has(const struct ingestion_known *known, struct customer_id customer);
/* The state has the customer. He may displace another. */
void ingestion_known_add(struct ingestion_known *known, struct customer_id customer);

#endif
