/*
 * An e-mail's bytes, headers and all, as SMTP's DATA takes them. Pure.
 */
#ifndef KITH_CAMPAIGN_CHANNEL_MAIL_H
#define KITH_CAMPAIGN_CHANNEL_MAIL_H

#include "services/campaign/channel.h"

/* The longest e-mail, encoded: the message, its headers, and room. */
#define CHANNEL_MAIL_BYTES (16 * 1024)

/* The address is one, and neither it nor the subject can begin a header of its own. Otherwise
 * false, and *why is a sentence for people that names no address. */
bool channel_mail_is_possible(const struct channel_intent *intent, const char **why);
/* Appends it: possible as above, `from` a valid address. STATUS_LIMIT: too long for `out`. */
MUST_USE enum status channel_mail_encode(const struct channel_intent *intent, const char *from,
                                         struct buffer *out);

#endif
