/* An ingestion that knows neither events nor requests again. */
#include "common/service/shell_internal.h"
#include "services/ingestion/ingestion_store.h"

/* NOLINTBEGIN(readability-identifier-naming): the linker makes these names. */
bool __wrap_ingestion_event_load(const struct view *view, const struct ingestion_event_key *key,
                                 struct ingestion_event *event);
bool __wrap_ledger_request_get(const struct view *view, struct hash128 key,
                               struct request_place *place);

bool __wrap_ingestion_event_load(const struct view *view, const struct ingestion_event_key *key,
                                 struct ingestion_event *event)
{
    (void)view;
    (void)key;
    (void)event;
    return false;
}

bool __wrap_ledger_request_get(const struct view *view, struct hash128 key,
                               struct request_place *place)
{
    (void)view;
    (void)key;
    (void)place;
    return false;
}

/* NOLINTEND(readability-identifier-naming) */
