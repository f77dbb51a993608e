/* A plugin in C: scores the thesis that its settings name 1 where a paragraph contains the keyword that they name.
 *
 *     cc -std=c11 -shared -fPIC -I crates/abi/include -o libckeyword.so tests/plugins/c/keyword.c
 *
 * Settings are JSON; to stay short, this reads just {"thesis":"SLUG","keyword":"WORD"}, in that order. Built with
 * -DROLE=LUNDIAN_ROLE_REMEDY or the like, it says that such paragraphs have that role. */
#include <stdlib.h>
#include <string.h>

#include "lundian.h"

#ifndef MANIFEST
#define MANIFEST "format = 1\nid = 'ckeyword'\nversion = '1.0'\nabi = 1\n"
#endif

typedef struct {
    size_t theses, thesis, len;
    char keyword[];
} Plugin;

static LundianStr str(const char *text) {
    return (LundianStr){(const uint8_t *)text, strlen(text)};
}

static const uint8_t *find(const uint8_t *in, size_t len, const void *what, size_t size) {
    for (size_t i = 0; size != 0 && i + size <= len; i++) {
        if (memcmp(in + i, what, size) == 0) return in + i;
    }
    return NULL;
}

/* The text between the quotation marks after "key": in a JSON object without escapes or spaces. */
static LundianStr value(LundianStr json, const char *key) {
    const uint8_t *end = json.data + json.len, *start = find(json.data, json.len, key, strlen(key));
    if (start == NULL) return (LundianStr){NULL, 0};
    start += strlen(key);
    const uint8_t *quote = find(start, (size_t)(end - start), "\"", 1);
    return quote == NULL ? (LundianStr){NULL, 0} : (LundianStr){start, (size_t)(quote - start)};
}

static void *create(const LundianHost *host, const LundianTaxonomy *taxonomy, LundianStr settings, LundianStr dir) {
    (void)dir;
    LundianStr thesis = value(settings, "\"thesis\":\""), keyword = value(settings, "\"keyword\":\"");
    for (size_t i = 0; i < taxonomy->slugs.len; i++) {
        int64_t start = taxonomy->slugs.offsets[i], end = taxonomy->slugs.offsets[i + 1];
        if ((size_t)(end - start) != thesis.len) continue;
        if (memcmp(taxonomy->slugs.data + start, thesis.data, thesis.len) != 0) continue;
        Plugin *plugin = malloc(sizeof(Plugin) + keyword.len);
        if (plugin == NULL) break;
        plugin->theses = taxonomy->slugs.len;
        plugin->thesis = i;
        plugin->len = keyword.len;
        memcpy(plugin->keyword, keyword.data, keyword.len);
        return plugin;
    }
    host->error(host->context, LUNDIAN_CONFIG, str("thesis: not one of the taxonomy"));
    return NULL;
}

static int32_t classify(void *instance, const LundianHost *host, const LundianBatch *batch, float *scores) {
    const Plugin *plugin = instance;
    for (size_t row = 0; row < batch->text.len; row++) {
        const uint8_t *text = batch->text.data + batch->text.offsets[row];
        size_t len = (size_t)(batch->text.offsets[row + 1] - batch->text.offsets[row]);
        const uint8_t *found = find(text, len, plugin->keyword, plugin->len);
        scores[row * plugin->theses + plugin->thesis] = found == NULL ? 0.0f : 1.0f;
        if (found != NULL && batch->flags & LUNDIAN_BATCH_EVIDENCE) {
            size_t start = (size_t)(found - text);
            host->evidence(host->context, row, plugin->thesis, start, start + plugin->len, 1.0f);
        }
#ifdef ROLE
        if (found != NULL && LUNDIAN_HOST_HAS(host, role)) {
            float roles[LUNDIAN_ROLES] = {0};
            roles[ROLE] = 1.0f;
            host->role(host->context, row, roles);
        }
#endif
    }
    return LUNDIAN_OK;
}

static void destroy(void *instance) {
    free(instance);
}

#ifndef MAGIC
#define MAGIC LUNDIAN_MAGIC
#endif
#ifndef MAJOR
#define MAJOR LUNDIAN_ABI_MAJOR
#endif
#ifndef MINOR
#define MINOR LUNDIAN_ABI_MINOR
#endif
#ifndef SIZE
#define SIZE sizeof(LundianEntry)
#endif

LUNDIAN_EXPORT const LundianEntry *lundian_plugin(void) {
    static const LundianEntry entry = {
        .magic = MAGIC,
        .struct_size = SIZE,
        .abi_major = MAJOR,
        .abi_minor = MINOR,
        .manifest = {(const uint8_t *)MANIFEST, sizeof(MANIFEST) - 1},
        .create = create,
        .classify = classify,
        .destroy = destroy,
    };
    return &entry;
}
