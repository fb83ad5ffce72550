/* link: loyalty_service segmentation_service reporting_service campaign_service common_config */
/* covers: common/config/suite.c common/config/config.c common/config/campaigns_config.c
 *         common/config/yaml_tree.c
 *         services/loyalty/loyalty_config.c services/segmentation/segmentation_config.c
 *         services/reporting/reporting_config.c */
/*
 * Any bytes as the configuration of a suite, with programmes, segments, channels and campaigns:
 * each part is refused with file and line, or taken; and what is taken can be journalled as rules
 * and told to people.
 */
#include "common/config/campaigns_config.h"
#include "services/campaign/campaign_codec.h"
#include "services/loyalty/loyalty_codec.h"
#include "services/loyalty/loyalty_config.h"
#include "services/reporting/reporting_config.h"
#include "services/segmentation/segmentation_codec.h"
#include "services/segmentation/segmentation_config.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define ARENA_BYTES ((size_t)16 * 1024 * 1024)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A part is taken, or refused at a line of the file. */
static bool is_taken(enum status status, const struct refusal *refusal)
{
    assert(status == STATUS_OK || status == STATUS_MALFORMED);
    assert(status == STATUS_OK || strchr(refusal->message, ':') != NULL);
    return status == STATUS_OK;
}

static void programmes_try(const struct suite_config *config)
{
    struct loyalty_rules rules = { .programme_count = 0 };
    struct buffer out;
    struct refusal refusal;
    refusal_init(&refusal);
    if (!is_taken(loyalty_config_read(config->programmes, &rules, &refusal), &refusal)) {
        return;
    }
    buffer_init(&out, LOYALTY_COMPILED_BYTES);
    enum status status = loyalty_rules_encode(&rules, &out);
    assert(status == STATUS_OK || status == STATUS_LIMIT);
    buffer_clear(&out);
    status = loyalty_config_text(&rules, &out);
    assert(status == STATUS_OK || status == STATUS_LIMIT);
    buffer_release(&out);
}

static void segments_try(const struct suite_config *config, struct arena *arena)
{
    const struct suite_service *own = suite_service_find(config, "segmentation");
    struct segmentation_rules *rules = memory_allocate(sizeof *rules);
    struct buffer out;
    struct refusal refusal;
    refusal_init(&refusal);
    enum status status =
        segmentation_config_read(own == NULL ? NULL : own->own, config->segments, rules, &refusal);
    if (is_taken(status, &refusal)) {
        buffer_init(&out, SEGMENTATION_COMPILED_BYTES);
        status = segmentation_rules_encode(rules, arena, &out);
        assert(status == STATUS_OK || status == STATUS_LIMIT);
        buffer_clear(&out);
        segmentation_config_text(rules, &out);
        buffer_release(&out);
    }
    free(rules);
}

static void campaigns_try(const struct suite_config *config)
{
    struct campaigns *campaigns = memory_allocate(sizeof *campaigns);
    struct buffer out;
    struct refusal refusal;
    refusal_init(&refusal);
    if (is_taken(campaigns_config_read(config, campaigns, &refusal), &refusal)) {
        buffer_init(&out, LIMIT_RECORD_BYTES);
        campaign_rules_encode(campaigns, &out);
        assert(out.size <= CAMPAIGN_COMPILED_BYTES);
        buffer_clear(&out);
        campaign_rules_text(campaigns, &out);
        assert(out.size <= CAMPAIGN_RULES_TEXT_BYTES);
        buffer_release(&out);
        for (size_t i = 0; i < campaigns->campaign_count; i++) {
            const struct campaign_rule *rule = &campaigns->campaigns[i];
            size_t at = 0;
            assert(rule->channel < campaigns->channel_count);
            enum status status = campaign_template_check(rule->text, &at);
            assert(status == STATUS_OK);
        }
    }
    free(campaigns);
}

static void services_try(const struct suite_config *config)
{
    struct refusal refusal;
    for (size_t i = 0; i < config->service_count; i++) {
        const struct suite_service *service = &config->services[i];
        struct reporting_attributes attributes = { .count = 0 };
        assert(service->shards >= 1 && service->shards <= LIMIT_SHARDS);
        refusal_init(&refusal);
        if (strcmp(service->name, "reporting") == 0 &&
            is_taken(reporting_config_read(service->own, &attributes, &refusal), &refusal)) {
            assert(attributes.count <= REPORTING_ATTRIBUTES_MAX);
        }
        refusal_init(&refusal);
        if (service->own != NULL) {
            (void)is_taken(config_unused_check(service->own, &refusal), &refusal);
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char path[64];
    struct suite_config config = { .service_count = 0 };
    struct refusal refusal;
    int descriptor = memfd_create("suite.yaml", MFD_CLOEXEC);
    assert(descriptor >= 0);
    ssize_t written = write(descriptor, data, size);
    assert(written == (ssize_t)size);
    (void)snprintf(path, sizeof path, "/proc/self/fd/%d", descriptor);
    refusal_init(&refusal);
    if (is_taken(suite_config_load(&config, path, &refusal), &refusal)) {
        struct arena arena;
        arena_init(&arena, ARENA_BYTES);
        programmes_try(&config);
        segments_try(&config, &arena);
        campaigns_try(&config);
        services_try(&config);
        suite_config_release(&config);
        arena_release(&arena);
    }
    (void)close(descriptor);
    return 0;
}
