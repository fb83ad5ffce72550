/*
 * How faults of a config file are told: "FILE:LINE: what is wrong; how to mend it".
 */
#ifndef KITH_CONFIG_YAML_FAULT_H
#define KITH_CONFIG_YAML_FAULT_H

#include "common/base/refusal.h"

struct yaml_place {
    const char *file;
    unsigned line;
};

/* Sets the message and returns STATUS_MALFORMED. Of a long file name the end is shown. */
enum status yaml_fault(struct refusal *refusal, struct yaml_place place, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* A file's text as it may stand in a message: short, and on one line. */
#define YAML_SHOWN_BYTES 64
/* Fills and returns `out`. Longer text ends in "...", after a whole character. */
const char *yaml_text_show(const char *text, char out[YAML_SHOWN_BYTES]);

#endif
