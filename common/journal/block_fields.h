/*
 * The field numbers of block.proto that builder and reader of a block both need. Internal
 * to common/journal; the unit test holds them to the code that protoc-c generates.
 */
#ifndef KITH_JOURNAL_BLOCK_FIELDS_H
#define KITH_JOURNAL_BLOCK_FIELDS_H

enum public_field { PUBLIC_FACTS = 1 };

enum fact_field {
    FIELD_FACT_TYPE = 1,
    FIELD_FACT_VERSION = 2,
    FIELD_FACT_RECORDED_AT_MS = 3,
    FIELD_FACT_CAUSE = 4,
    FIELD_FACT_CUSTOMER = 5,
    FIELD_FACT_SUBJECT = 6,
    FIELD_FACT_BODY = 7,
};

enum sealed_field { SEALED_KEY_ID = 1, SEALED_BYTES = 2 };

enum private_field { PRIVATE_ENTRIES = 1, PRIVATE_NOW_MS = 2, PRIVATE_FIELDS };

enum entry_field {
    ENTRY_AFTER = 1,
    ENTRY_RECORD = 2,
    ENTRY_OUTCOME = 3,
    ENTRY_FOLDED = 4,
    ENTRY_FIELDS,
};

enum outcome_field {
    OUTCOME_KEY = 1,
    OUTCOME_BODY_HASH = 2,
    OUTCOME_ISSUED_AT_MS = 3,
    OUTCOME_CODE = 4,
    OUTCOME_REPLY_HEADER = 5,
    OUTCOME_REPLY_BODY = 6,
    OUTCOME_FIELDS,
};

enum folded_field {
    FOLDED_FEED = 1,
    FOLDED_SHARD = 2,
    FOLDED_EPOCH = 3,
    FOLDED_FROM = 4,
    FOLDED_TO = 5,
    FOLDED_BLOCK = 6,
    FOLDED_BLOCK_SEQ = 7,
    FOLDED_CHAIN = 8,
    FOLDED_FIELDS,
};

#endif
