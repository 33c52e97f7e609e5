/*
 * RFC 6455 frames, as much as the two C ends of the bench need.
 *
 * Unfragmented frames without extensions. No validation beyond what keeps the
 * reader inside its buffer: the peers under test are judged elsewhere.
 */
#ifndef FRAMES_H
#define FRAMES_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum { FRAME_TEXT = 0x1, FRAME_CLOSE = 0x8, FRAME_PING = 0x9, FRAME_PONG = 0xA, FRAME_HEADER_MAX = 14 };

struct frame {
    uint8_t opcode;
    uint8_t *payload; /* unmasked in place */
    size_t length;
    size_t size; /* header and payload */
};

/* Write a frame's header and return its size; a masked one has the key zero, so the payload stays as it is. */
static inline size_t frame_header(uint8_t *out, uint8_t opcode, size_t length, int masked) {
    uint8_t mask_bit = masked ? 0x80 : 0;
    size_t size = 2;
    out[0] = 0x80 | opcode;
    if (length < 126) {
        out[1] = mask_bit | (uint8_t)length;
    } else if (length < 65536) {
        out[1] = mask_bit | 126;
        out[2] = (uint8_t)(length >> 8);
        out[3] = (uint8_t)length;
        size = 4;
    } else {
        out[1] = mask_bit | 127;
        for (int i = 0; i < 8; i++) out[2 + i] = (uint8_t)((uint64_t)length >> (56 - 8 * i));
        size = 10;
    }
    if (masked) {
        memset(out + size, 0, 4);
        size += 4;
    }
    return size;
}

/* Read one frame from the front of the data; 0 when it is not all there yet. */
static inline int frame_read(uint8_t *data, size_t available, struct frame *frame) {
    if (available < 2) return 0;
    size_t header = 2;
    uint64_t length = data[1] & 0x7F;
    if (length == 126) {
        if (available < 4) return 0;
        length = (uint64_t)data[2] << 8 | data[3];
        header = 4;
    } else if (length == 127) {
        if (available < 10) return 0;
        length = 0;
        for (int i = 0; i < 8; i++) length = length << 8 | data[2 + i];
        header = 10;
    }
    uint8_t *key = NULL;
    if (data[1] & 0x80) {
        key = data + header;
        header += 4;
    }
    if (available < header || available - header < length) return 0;
    frame->opcode = data[0] & 0x0F;
    frame->payload = data + header;
    frame->length = length;
    frame->size = header + length;
    if (key && (key[0] | key[1] | key[2] | key[3]))
        for (uint64_t i = 0; i < length; i++) frame->payload[i] ^= key[i & 3];
    return 1;
}

#endif
