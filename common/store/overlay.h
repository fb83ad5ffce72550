/*
 * Changes held back over a view, kept or dropped whole: what an all-or-nothing batch
 * decides on.
 */
#ifndef KITH_STORE_OVERLAY_H
#define KITH_STORE_OVERLAY_H

#include "common/base/view.h"

struct overlay;

void overlay_open(struct overlay **overlay, const struct view *below);
void overlay_close(struct overlay **overlay);
struct change overlay_change(struct overlay *overlay);
/* Puts and deletes everything into `target`, in key order. */
void overlay_keep(struct overlay *overlay, const struct change *target);

#endif
