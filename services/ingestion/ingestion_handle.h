/*
 * The handlers of ingestion: decode, look up, decide, emit, answer.
 */
#ifndef KITH_INGESTION_HANDLE_H
#define KITH_INGESTION_HANDLE_H

#include "services/ingestion/ingestion_emit.h"

enum status ingestion_handle_ingest(void *service, struct turn *turn, struct span body,
                                    struct reply *reply);
enum status ingestion_handle_advance(void *service, struct turn *turn, struct span body,
                                     struct reply *reply);
enum status ingestion_handle_list(void *service, struct turn *turn, struct span body,
                                  struct reply *reply);
enum status ingestion_handle_show(void *service, struct turn *turn, struct span body,
                                  struct reply *reply);
enum status ingestion_handle_retry(void *service, struct turn *turn, struct span body,
                                   struct reply *reply);
enum status ingestion_handle_drop(void *service, struct turn *turn, struct span body,
                                  struct reply *reply);

#endif
