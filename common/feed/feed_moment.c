#include "common/feed/feed_moment.h"

bool feed_moment_is_before(struct feed_moment a, struct feed_moment b)
{
    return a.cause != b.cause ? a.cause < b.cause : a.at_ms < b.at_ms;
}

struct feed_moment feed_moment_least(struct feed_moment a, struct feed_moment b)
{
    return feed_moment_is_before(b, a) ? b : a;
}
