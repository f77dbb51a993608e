/* lundian.h: the C border between Lundian and its plugins, ABI 1.0.
 *
 * A plugin is a shared library that exports one function, lundian_plugin(), which returns a static LundianEntry.
 *
 * Versions.  The first four members of LundianEntry keep their places for ever. Host and plugin must have the same
 *            LUNDIAN_ABI_MAJOR; any minor goes with any other. Structs only grow at the end, and struct_size says how
 *            far the other side may read. Set it to sizeof(...).
 * Ownership. No memory ever changes owner. What the host passes lives until the call returns; copy what you need
 *            longer. What you pass to a callback, the host copies before the callback returns. The score matrix is
 *            the host's. Only the pointer from create() is yours, and you get it back in destroy().
 * Threads.   create() and destroy() are each called once per instance, with no other call on it under way.
 *            classify() may be called from several threads at once on one instance. The callbacks of LundianHost may
 *            be called from any thread, until the call that they were passed to returns.
 * Text.      UTF-8, not NUL-terminated; it may contain NUL. Positions are bytes of the paragraph's text.
 * Unwinding. No C++ exception may cross the border; catch it and return LUNDIAN_FAILED.
 */
#ifndef LUNDIAN_H
#define LUNDIAN_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define LUNDIAN_MAGIC UINT64_C(0x004E4149444E554C) /* "LUNDIAN", NUL */
#define LUNDIAN_ABI_MAJOR 1
#define LUNDIAN_ABI_MINOR 0

/* Status: what classify() returns and error() is told. */
#define LUNDIAN_OK 0        /* the batch is judged */
#define LUNDIAN_FAILED 1    /* not judged, or no instance made, for a reason that is none of the others */
#define LUNDIAN_CANCELLED 2 /* the host asked for the work to stop, and it did */
#define LUNDIAN_CONFIG 3    /* the settings are wrong */
#define LUNDIAN_MODEL 4     /* a model or other file of the plugin is missing or wrong */

/* LundianBatch.flags */
#define LUNDIAN_BATCH_EVIDENCE 1u /* evidence is wanted */

/* Levels of log lines. */
#define LUNDIAN_LOG_ERROR 1u /* something is lost */
#define LUNDIAN_LOG_WARN 2u  /* something is odd */
#define LUNDIAN_LOG_INFO 3u  /* something is worth knowing */
#define LUNDIAN_LOG_DEBUG 4u /* for the plugin's author */

#define LUNDIAN_EXTENSION_THRESHOLDS "lundian.thresholds/1"

#if defined(_WIN32)
#define LUNDIAN_EXPORT __declspec(dllexport)
#else
#define LUNDIAN_EXPORT __attribute__((visibility("default")))
#endif

/* Borrowed UTF-8 text. data may be null where len is 0. */
typedef struct LundianStr {
    const uint8_t *data;
    size_t len;
} LundianStr;

/* A column of texts in Arrow's LargeUtf8 layout: text i is data[offsets[i] .. offsets[i + 1]]. */
typedef struct LundianStrings {
    size_t len;             /* number of texts */
    const int64_t *offsets; /* len + 1 byte positions in data, ascending from 0; never null */
    const uint8_t *data;    /* the texts, end to end; may be null where all are empty */
} LundianStrings;

/* What the theses are. Columns of every score matrix follow this order. */
typedef struct LundianTaxonomy {
    uint32_t struct_size;
    uint32_t reserved;
    LundianStrings slugs; /* slug of each thesis */
    LundianStr json;      /* the whole taxonomy as one JSON object with the keys of its TOML file */
} LundianTaxonomy;

/* Paragraphs to be labelled together; the four columns are of one length. */
typedef struct LundianBatch {
    uint32_t struct_size;
    uint32_t flags;         /* LUNDIAN_BATCH_EVIDENCE or 0; ignore bits that you don't know */
    LundianStrings text;    /* the paragraphs, as found (not normalised) */
    LundianStrings prev;    /* the paragraph before each; empty if none */
    LundianStrings heading; /* the heading above each; empty if none */
    LundianStrings title;   /* the title of each one's document; empty if unknown */
} LundianBatch;

/* What a plugin may call while one of its functions runs. The host copies whatever is passed. */
typedef struct LundianHost {
    uint32_t struct_size;
    uint32_t reserved;
    void *context; /* first argument of every callback; means nothing to the plugin */
    /* classify() only: bytes start .. end of paragraph row support thesis number thesis, with a weight in [0, 1].
     * Both ends on character boundaries, start < end. */
    void (*evidence)(void *context, size_t row, size_t thesis, size_t start, size_t end, float weight);
    /* classify() only: paragraph row could not be judged; the others stand. */
    void (*fail_row)(void *context, size_t row, LundianStr message);
    /* Why the call is about to fail, in one line, with the status that says of what sort it is. */
    void (*error)(void *context, int32_t status, LundianStr message);
    /* A line for the plugin's log. */
    void (*log)(void *context, uint32_t level, LundianStr message);
    /* Not 0 once nobody waits for the answer any more; a slow plugin asks now and then, and returns
     * LUNDIAN_CANCELLED. */
    uint32_t (*cancelled)(void *context);
} LundianHost;

/* What a plugin is: static, read-only, valid for as long as the library is loaded (the host never unloads it). */
typedef struct LundianEntry {
    uint64_t magic;       /* LUNDIAN_MAGIC */
    uint32_t struct_size; /* sizeof(LundianEntry) */
    uint16_t abi_major;   /* LUNDIAN_ABI_MAJOR */
    uint16_t abi_minor;   /* LUNDIAN_ABI_MINOR */
    LundianStr manifest;  /* text of plugin.toml, without sha256; it must agree with the file beside the library */
    /* Makes an instance for a taxonomy and settings (a JSON object, {} for none). dir is the folder of the plugin's
     * own files, empty if it has none. Null on failure, after a call of error(). */
    void *(*create)(const LundianHost *host, const LundianTaxonomy *taxonomy, LundianStr settings, LundianStr dir);
    /* Scores a batch into scores: row-major, paragraphs x theses, [0, 1], or NaN to abstain; it comes in all NaN.
     * Returns a status; when it is not LUNDIAN_OK, after a call of error(), and matrix and evidence are thrown away.
     * Answers must not depend on how paragraphs are batched. */
    int32_t (*classify)(void *instance, const LundianHost *host, const LundianBatch *batch, float *scores);
    /* Frees an instance. */
    void (*destroy)(void *instance);
    /* A static struct of functions for the ability id, or null. May itself be null. May be called at any time from
     * any thread. */
    const void *(*extension)(LundianStr id);
} LundianEntry;

/* Receives a text; copies it before it returns. */
typedef void (*LundianTextFn)(void *context, LundianStr text);

/* The ability LUNDIAN_EXTENSION_THRESHOLDS: the scores from which on the plugin's model means "argued". */
typedef struct LundianThresholds {
    uint32_t struct_size;
    uint32_t reserved;
    /* Calls sink once with a JSON object: global (in [0, 1]), and optionally per_thesis (slug to [0, 1]) and origin
     * (where they come from, in words). May be called from any thread. */
    void (*read)(void *instance, LundianTextFn sink, void *context);
} LundianThresholds;

/* The one exported function. Must not fail, block or depend on anything. */
LUNDIAN_EXPORT const LundianEntry *lundian_plugin(void);

#ifdef __cplusplus
}
#endif

#endif /* LUNDIAN_H */
