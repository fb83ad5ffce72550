/*
 * A sound message with one field at fault, for decoders of facts, records and requests: each
 * field in turn is absent, too long, or as small and as large as its kind can be. What a decoder
 * takes all the same is told as a text, "FIELD FAULT" a line, to be held against what may be so.
 */
#ifndef KITH_TESTS_UNIT_MESSAGE_FAULTS_H
#define KITH_TESTS_UNIT_MESSAGE_FAULTS_H

#include "common/base/limits.h"
#include "common/wire/pb.h"

#include <check.h>
#include <stdio.h>
#include <string.h>

#define FAULTS_TEXT_BYTES 4096
#define FAULTS_LONG_BYTES 2000
#define FAULTS_MANY 100

enum message_fault {
    FAULT_ABSENT,
    FAULT_LONG,
    FAULT_CONTROL, /* a text with a control character */
    FAULT_LEAST,
    FAULT_MOST,
    FAULT_COUNT,
};

struct message_faults {
    const ProtobufCMessageDescriptor *descriptor; /* of what is decoded */
    struct span sound;
    /* The message within it whose fields are tried; NULL: itself. */
    ProtobufCMessage *(*inner)(ProtobufCMessage *message);
    bool (*is_taken)(struct span bytes, struct arena *arena);
    char taken[FAULTS_TEXT_BYTES]; /* what was taken */
};

/* Where protobuf-c keeps a field's value, and whether it is there. */
static inline void *fault_member(ProtobufCMessage *message, unsigned offset)
{
    return (uint8_t *)message + offset;
}

static inline void fault_presence_set(ProtobufCMessage *message,
                                      const ProtobufCFieldDescriptor *field, int is_there)
{
    if ((field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) != 0) {
        uint32_t which = is_there ? field->id : 0;
        memcpy(fault_member(message, field->quantifier_offset), &which, sizeof which);
    } else if (field->quantifier_offset != 0) {
        memcpy(fault_member(message, field->quantifier_offset), &is_there, sizeof is_there);
    }
}

static inline bool fault_absent(ProtobufCMessage *message, const ProtobufCFieldDescriptor *field)
{
    if (field->label == PROTOBUF_C_LABEL_REPEATED) {
        size_t none = 0;
        memcpy(fault_member(message, field->quantifier_offset), &none, sizeof none);
        return true;
    }
    if (field->type == PROTOBUF_C_TYPE_STRING || field->type == PROTOBUF_C_TYPE_MESSAGE) {
        void *nothing = NULL;
        memcpy(fault_member(message, field->offset), &nothing, sizeof nothing);
    }
    fault_presence_set(message, field, 0);
    return true;
}

/* As often as no bound allows. */
static inline bool fault_many(ProtobufCMessage *message, const ProtobufCFieldDescriptor *field,
                              struct arena *arena)
{
    size_t count = 0;
    memcpy(&count, fault_member(message, field->quantifier_offset), sizeof count);
    if (count == 0 ||
        (field->type != PROTOBUF_C_TYPE_STRING && field->type != PROTOBUF_C_TYPE_MESSAGE)) {
        return false;
    }
    void **elements = NULL;
    memcpy(&elements, fault_member(message, field->offset), sizeof elements);
    void **many = arena_allocate(arena, FAULTS_MANY * sizeof *many);
    ck_assert_ptr_nonnull(many);
    for (size_t i = 0; i < FAULTS_MANY; i++) {
        many[i] = elements[0];
    }
    count = FAULTS_MANY;
    memcpy(fault_member(message, field->quantifier_offset), &count, sizeof count);
    memcpy(fault_member(message, field->offset), &many, sizeof many);
    return true;
}

static inline bool fault_text(ProtobufCMessage *message, const ProtobufCFieldDescriptor *field,
                              struct arena *arena, enum message_fault fault)
{
    size_t size = fault == FAULT_LONG ? FAULTS_LONG_BYTES : 2;
    char *text = arena_allocate(arena, size + 1);
    ck_assert_ptr_nonnull(text);
    memset(text, 'x', size);
    text[size] = '\0';
    if (fault == FAULT_CONTROL) {
        text[1] = '\n';
    }
    if (field->type == PROTOBUF_C_TYPE_BYTES) {
        ProtobufCBinaryData bytes = { .len = size, .data = (uint8_t *)text };
        memcpy(fault_member(message, field->offset), &bytes, sizeof bytes);
        fault_presence_set(message, field, 1);
    } else {
        memcpy(fault_member(message, field->offset), &text, sizeof text);
    }
    return true;
}

static inline bool fault_number(ProtobufCMessage *message, const ProtobufCFieldDescriptor *field,
                                enum message_fault fault)
{
    int64_t value = fault == FAULT_LEAST ? INT64_MIN : INT64_MAX;
    size_t size = sizeof value;
    switch (field->type) {
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_FIXED64:
        value = fault == FAULT_LEAST ? 0 : -1;
        break;
    case PROTOBUF_C_TYPE_UINT32:
    case PROTOBUF_C_TYPE_FIXED32:
        value = fault == FAULT_LEAST ? 0 : UINT32_MAX;
        size = sizeof(uint32_t);
        break;
    case PROTOBUF_C_TYPE_ENUM:
        value = fault == FAULT_LEAST ? -1 : 99;
        size = sizeof(int32_t);
        break;
    case PROTOBUF_C_TYPE_SINT64:
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_SFIXED64:
        break;
    case PROTOBUF_C_TYPE_INT32:
    case PROTOBUF_C_TYPE_SINT32:
    case PROTOBUF_C_TYPE_SFIXED32:
    case PROTOBUF_C_TYPE_FLOAT:
    case PROTOBUF_C_TYPE_DOUBLE:
    case PROTOBUF_C_TYPE_BOOL:
    case PROTOBUF_C_TYPE_STRING:
    case PROTOBUF_C_TYPE_BYTES:
    case PROTOBUF_C_TYPE_MESSAGE:
        return false;
    }
    memcpy(fault_member(message, field->offset), &value, size); /* little-endian machines only */
    fault_presence_set(message, field, 1);
    return true;
}

/* False: the field cannot have such a fault. */
static inline bool fault_apply(ProtobufCMessage *message, const ProtobufCFieldDescriptor *field,
                               enum message_fault fault, struct arena *arena)
{
    bool is_text = field->type == PROTOBUF_C_TYPE_STRING || field->type == PROTOBUF_C_TYPE_BYTES;
    if (fault == FAULT_ABSENT) {
        return fault_absent(message, field);
    }
    if (field->label == PROTOBUF_C_LABEL_REPEATED) {
        return fault == FAULT_LONG && fault_many(message, field, arena);
    }
    if (fault == FAULT_LONG || fault == FAULT_CONTROL) {
        return is_text && (fault == FAULT_LONG || field->type == PROTOBUF_C_TYPE_STRING) &&
               fault_text(message, field, arena, fault);
    }
    return fault_number(message, field, fault);
}

/* Whether the sound message is taken with this fault; false too where there is no such fault. */
static inline bool fault_is_taken(const struct message_faults *faults, unsigned index,
                                  enum message_fault fault)
{
    struct arena arena;
    struct arena decoding;
    struct buffer out;
    arena_init(&arena, (size_t)4 * 1024 * 1024);
    arena_init(&decoding, (size_t)4 * 1024 * 1024);
    buffer_init(&out, (size_t)2 * 1024 * 1024);
    ProtobufCMessage *whole = pb_unpack(faults->descriptor, &arena, faults->sound);
    ck_assert_ptr_nonnull(whole);
    ProtobufCMessage *message = faults->inner == NULL ? whole : faults->inner(whole);
    bool is_taken = false;
    if (fault_apply(message, &message->descriptor->fields[index], fault, &arena)) {
        ck_assert_int_eq(pb_pack(whole, &out), STATUS_OK);
        is_taken = faults->is_taken(buffer_span(&out), &decoding);
    }
    buffer_release(&out);
    arena_release(&decoding);
    arena_release(&arena);
    return is_taken;
}

/* The kind of message whose fields are tried. */
static inline const ProtobufCMessageDescriptor *faults_tried(const struct message_faults *faults)
{
    struct arena arena;
    arena_init(&arena, (size_t)4 * 1024 * 1024);
    ProtobufCMessage *whole = pb_unpack(faults->descriptor, &arena, faults->sound);
    ck_assert_ptr_nonnull(whole);
    ProtobufCMessage *message = faults->inner == NULL ? whole : faults->inner(whole);
    const ProtobufCMessageDescriptor *tried = message->descriptor;
    arena_reset(&arena);
    ck_assert_msg(faults->is_taken(faults->sound, &arena), "the sound message is refused");
    arena_release(&arena);
    return tried;
}

/* Adds a line to what was taken. */
static inline void fault_tell(struct message_faults *faults, const char *field, const char *fault)
{
    size_t size = strlen(faults->taken);
    int added =
        snprintf(faults->taken + size, sizeof faults->taken - size, "%s %s\n", field, fault);
    ck_assert_uint_lt(size + (size_t)added, sizeof faults->taken);
}

static inline void message_faults_try(struct message_faults *faults)
{
    static const char *const names[FAULT_COUNT] = { "absent", "long", "control", "least", "most" };
    const ProtobufCMessageDescriptor *tried = faults_tried(faults);
    faults->taken[0] = '\0';
    for (unsigned i = 0; i < tried->n_fields * FAULT_COUNT; i++) {
        unsigned field = i / FAULT_COUNT;
        unsigned fault = i % FAULT_COUNT;
        if (fault_is_taken(faults, field, (enum message_fault)fault)) {
            fault_tell(faults, tried->fields[field].name, names[fault]);
        }
    }
}

/* Of this message, which is sound, no more is taken with a field at fault than `taken`; nor are
 * bytes that are no message. */
static inline void message_faults_expect(struct message_faults *faults,
                                         const ProtobufCMessage *message, const char *taken)
{
    struct arena arena;
    struct buffer sound;
    arena_init(&arena, (size_t)1024 * 1024);
    buffer_init(&sound, LIMIT_RECORD_BYTES);
    ck_assert_int_eq(pb_pack(message, &sound), STATUS_OK);
    faults->descriptor = message->descriptor;
    faults->sound = buffer_span(&sound);
    message_faults_try(faults);
    ck_assert_str_eq(faults->taken, taken);
    ck_assert(!faults->is_taken(span_of_text("\x0a"), &arena));
    buffer_release(&sound);
    arena_release(&arena);
}

#endif
