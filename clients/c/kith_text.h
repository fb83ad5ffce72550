/*
 * Texts that come in and go out: which are valid, and how a foreign one is made fit to be shown.
 */
#ifndef KITH_CLIENT_TEXT_H
#define KITH_CLIENT_TEXT_H

#include <stdbool.h>
#include <stddef.h>

/* 1 to KITH_ID_BYTES of UTF-8 without control characters. NULL is none. */
bool kith_id_is_valid(const char *text);
/* 1 to KITH_ID_BYTES of a-z 0-9 _ . */
bool kith_type_is_valid(const char *text);
/* UTF-8 without control characters, of any length. */
bool kith_text_is_clean(const char *text, size_t size);
/* Each byte that keeps the text from being clean becomes a question mark. */
void kith_text_clean(char *text);
/* Copies what fits, cleaned; NULL is an empty text. */
void kith_text_take(const char *text, char *out, size_t room);

#endif
