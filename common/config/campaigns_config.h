/*
 * The lists `channels` and `campaigns` of a suite's configuration.
 *
 *   channels:
 *     - {name: outbox, kind: file, address: phone}
 *     - {name: mail, kind: smtp, address: email, url: "smtp://127.0.0.1:25",
 *        from: care@operator.example}
 *   campaigns:
 *     - name: thanks
 *       segment: big_spenders
 *       channel: outbox
 *       on_entry: true
 *       schedule: {first: "2026-01-01T10:00:00Z", every_days: 7}
 *       subject: Thank you
 *       text: "Dear {customer}, ..."
 *       cap: {messages: 1, per_days: 30}
 *       valid: {from: "2026-01-01T00:00:00Z", until: "2027-01-01T00:00:00Z"}
 *
 * A channel may say in_flight_max (file 32, smtp 4), and one of files its folder, a whole path.
 * Commands may trigger every campaign; on_entry (default false) and schedule come on top.
 */
#ifndef KITH_CONFIG_CAMPAIGNS_CONFIG_H
#define KITH_CONFIG_CAMPAIGNS_CONFIG_H

#include "common/config/suite.h"
#include "common/rules/campaigns.h"

/* Reads both lists, checked whole: names are unique, segments and channels exist, templates
 * are well formed, what a channel needs is there, unknown keys are refused. Without the
 * lists: none. STATUS_MALFORMED: with FILE:LINE, and `campaigns` is not to be used. */
MUST_USE enum status campaigns_config_read(const struct suite_config *config,
                                           struct campaigns *campaigns, struct refusal *refusal);

#endif
