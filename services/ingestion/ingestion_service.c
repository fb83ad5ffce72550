#include "services/ingestion/ingestion_service.h"

#include "services/ingestion/ingestion_handle.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static_assert((int)INGESTION_TABLE_EVENT == SERVICE_TABLE_FIRST, "the shell has the tables before");

/* Which message goes where. */
static const struct service_method methods[] = {
    { "ingestion.Ingest", true, ingestion_handle_ingest },
    { "ingestion.AdvanceClock", true, ingestion_handle_advance },
    { "ingestion.QuarantineList", false, ingestion_handle_list },
    { "ingestion.QuarantineShow", false, ingestion_handle_show },
    { "ingestion.QuarantineRetry", true, ingestion_handle_retry },
    { "ingestion.QuarantineDrop", true, ingestion_handle_drop },
};

static const struct store_table tables[] = {
    { INGESTION_TABLE_EVENT, "event", STORE_TABLE_PERMANENT },
    { INGESTION_TABLE_CUSTOMER, "customer", STORE_TABLE_TREE },
    { INGESTION_TABLE_RUN, "run", STORE_TABLE_TREE },
    { INGESTION_TABLE_QUARANTINE, "quarantine", STORE_TABLE_TREE },
    { INGESTION_TABLE_QUARANTINE_PART, "quarantine_part", STORE_TABLE_TREE },
    { INGESTION_TABLE_QUARANTINE_INDEX, "quarantine_index", STORE_TABLE_TREE },
    { INGESTION_TABLE_COUNTERS, "counters", STORE_TABLE_TREE },
};

static enum status ingestion_open(void **service, const struct service_environment *environment,
                                  struct refusal *refusal)
{
    (void)refusal; /* there is nothing of its own to configure */
    struct ingestion *opened = memory_allocate(sizeof *opened);
    *opened = (struct ingestion){
        .event_clock = environment->config->clock == SUITE_CLOCK_EVENT,
    };
    assert(environment->suite_key.size == sizeof opened->suite_key);
    memcpy(opened->suite_key, environment->suite_key.data, sizeof opened->suite_key);
    arena_init(&opened->request_arena, INGESTION_ARENA_BYTES);
    arena_init(&opened->item_arena, LIMIT_ATTRIBUTES * sizeof(struct attribute));
    arena_init(&opened->evolve_arena, INGESTION_ARENA_BYTES);
    buffer_init(&opened->body, LIMIT_RECORD_BYTES);
    buffer_init(&opened->content, LIMIT_EVENT_BYTES);
    *service = opened;
    return STATUS_OK;
}

static void ingestion_close(void **service)
{
    struct ingestion *closing = *service;
    *service = NULL;
    if (closing == NULL) {
        return;
    }
    arena_release(&closing->request_arena);
    arena_release(&closing->item_arena);
    arena_release(&closing->evolve_arena);
    buffer_release(&closing->body);
    buffer_release(&closing->content);
    ingestion_known_release(&closing->known);
    free(closing);
}

const struct service_definition ingestion_definition = {
    .name = "ingestion",
    .schema = 1,
    .tables = tables,
    .table_count = sizeof tables / sizeof tables[0],
    .methods = methods,
    .method_count = sizeof methods / sizeof methods[0],
    .keeps_journal = true,
    .open = ingestion_open,
    .close = ingestion_close,
    .evolve = ingestion_evolve,
};
