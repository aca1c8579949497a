/*
 * The bytes of the ordered log, format version 1 (docs/explanation/oplog-format.md): segment header and record. Little
 * endian, 8-byte aligned.
 */
#ifndef DTCAPTURE_FORMAT_H
#define DTCAPTURE_FORMAT_H

#include <stdint.h>

enum record_kind {
    KIND_WRITE = 1,
    KIND_TRUNCATE = 2,
    KIND_CREATE = 3,
    KIND_MKDIR = 4,
    KIND_SYMLINK = 5,
    KIND_MKNOD = 6,
    KIND_LINK = 7,
    KIND_RENAME = 8,
    KIND_UNLINK = 9,
    KIND_RMDIR = 10,
    KIND_CHMOD = 11,
    KIND_CHOWN = 12,
    KIND_UTIMENS = 13,
    KIND_SETXATTR = 14,
    KIND_REMOVEXATTR = 15,
    KIND_FALLOCATE = 16,
    KIND_MARK = 20,
    KIND_GAP = 22,
};

enum utimens_flag { UTIMENS_OMIT_ATIME = 1, UTIMENS_OMIT_MTIME = 2 };

struct segment_header {
    char magic[8];
    uint16_t version;
    uint16_t header_bytes;
    uint32_t flags;
    uint8_t log_id[16];
    uint64_t number;
    uint64_t first_sequence;
    uint64_t created_ns;
    uint64_t checksum; /* xxh3_64 of the 56 bytes before it */
};
_Static_assert(sizeof(struct segment_header) == 64, "docs/explanation/oplog-format.md");

struct record_header {
    uint32_t total_bytes;
    uint16_t kind;
    uint16_t flags;
    uint64_t sequence;
    uint64_t time_ns;
    uint32_t path_bytes;
    uint32_t path2_bytes;
    uint64_t a;
    uint64_t b;
    uint32_t data_bytes;
    uint32_t reserved;
};
_Static_assert(sizeof(struct record_header) == 56, "docs/explanation/oplog-format.md");

/* After the record's header: path, path2, data, zeros up to a multiple of 8, then the checksum (seed: the sequence). */
enum { RECORD_CHECKSUM_BYTES = 8, RECORD_MINIMUM_BYTES = 64 };

#endif
