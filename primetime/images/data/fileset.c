/* The file set: what it holds is a pure function of its words and the seed. See files.h and the head of files.c. */
#define _GNU_SOURCE
#include "files.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DIRECTORY_GAMMA 1.5
#define LONGEST_PATH 3500

struct fileset sets[SETS];
size_t set_count;
uint64_t seed;
const char *base;
static char layout_words[2048];

void die(int code, const char *format, ...)
{
    static pthread_mutex_t first = PTHREAD_MUTEX_INITIALIZER;
    va_list words;
    pthread_mutex_lock(&first); /* for good: the first reason is the reason */
    va_start(words, format);
    fputs("files: ", stderr);
    vfprintf(stderr, format, words);
    fputc('\n', stderr);
    va_end(words);
    exit(code);
}

void *claim(size_t count, size_t size)
{
    void *memory = calloc(count, size);
    if (!memory)
        die(1, "no memory for %zu times %zu bytes", count, size);
    return memory;
}

/* Random numbers: splitmix64; gamma by Marsaglia and Tsang (2000). */

uint64_t next_random(uint64_t *state)
{
    uint64_t z = (*state += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static double uniform(uint64_t *state)
{
    return ((double)(next_random(state) >> 11) + 0.5) / 9007199254740992.0; /* 2^53: never 0, never 1 */
}

uint64_t below(uint64_t *state, uint64_t limit)
{
    return (uint64_t)(((unsigned __int128)next_random(state) * limit) >> 64);
}

static double gamma_variate(uint64_t *state, double shape, double mean)
{
    double scale = mean / shape, boost = 1.0;
    if (shape < 1.0) {
        boost = pow(uniform(state), 1.0 / shape);
        shape += 1.0;
    }
    double d = shape - 1.0 / 3.0, c = 1.0 / sqrt(9.0 * d);
    for (;;) {
        double radius = sqrt(-2.0 * log(uniform(state))), x = radius * cos(2.0 * M_PI * uniform(state));
        double root = 1.0 + c * x, v = root * root * root;
        if (root > 0.0 && log(uniform(state)) < 0.5 * x * x + d - d * v + d * log(v))
            return boost * d * v * scale;
    }
}

void fill_with_noise(char *memory, size_t size, uint64_t *state)
{
    for (size_t at = 0; at + 8 <= size; at += 8) {
        uint64_t noise = next_random(state);
        memcpy(memory + at, &noise, 8);
    }
}

/* The file set: directories of random width and depth, files of random size. */

static char *joined(const char *directory, unsigned serial)
{
    char *path;
    if (strlen(directory) > LONGEST_PATH)
        die(2, "directories lie too deep: make the directory width larger");
    if (asprintf(&path, "%s/%08u", directory, serial) < 0)
        die(1, "no memory for a path");
    return path;
}

static void make_directory(const char *path)
{
    if (mkdir(path, 0755) && errno != EEXIST)
        die(1, "mkdir %s: %s", path, strerror(errno));
}

static void fill_directory(struct fileset *set, const char *path, int level, bool making, uint64_t *state)
{
    int depth = (int)gamma_variate(state, DIRECTORY_GAMMA, set->depth);
    double width = gamma_variate(state, DIRECTORY_GAMMA, set->width);
    bool leaf = level > 1 && level >= depth; /* the root holds directories only, as many as it takes */
    set->directories++;
    if (making)
        make_directory(path);
    for (unsigned serial = 1; set->made < set->entries && (level == 1 || serial < width + 1.0); serial++) {
        char *inside = joined(path, serial);
        if (leaf) {
            double size = set->gamma > 0 ? gamma_variate(state, set->gamma, set->size) : set->size;
            set->files[set->made++] = (struct file){.path = inside, .directory = path, .size = (uint64_t)size};
        } else
            fill_directory(set, inside, level + 1, making, state);
    }
}

static void write_file(const struct file *file, const char *block)
{
    int fd = open(file->path, O_RDWR | O_CREAT | O_EXCL, 0644);
    if (fd < 0)
        die(1, "create %s: %s", file->path, strerror(errno));
    for (uint64_t done = 0; done < file->size;) {
        uint64_t rest = file->size - done;
        ssize_t wrote = write(fd, block, rest < BLOCK ? rest : BLOCK);
        if (wrote <= 0)
            die(1, "write %s: %s", file->path, strerror(errno));
        done += (uint64_t)wrote;
    }
    if (close(fd))
        die(1, "close %s: %s", file->path, strerror(errno));
}

/* Decide what the set holds and, with `making`, write it in random order. */
static void populate(struct fileset *set, uint64_t *state, bool making)
{
    char *path, *block = claim(1, BLOCK);
    size_t *order = claim(set->entries, sizeof *order);
    uint64_t noise = seed;
    fill_with_noise(block, BLOCK, &noise);
    if (asprintf(&path, "%s/%s", base, set->name) < 0)
        die(1, "no memory for a path");
    set->files = claim(set->entries, sizeof *set->files);
    set->exists = claim(set->entries, 1);
    set->depth = set->entries > 1 ? log((double)set->entries) / log(set->width) : 1.0;
    fill_directory(set, path, 1, making, state);
    for (size_t i = 0; i < set->entries; i++) {
        size_t other = below(state, i + 1);
        order[i] = order[other];
        order[other] = i;
    }
    for (size_t i = 0; i < set->entries; i++) {
        set->exists[order[i]] = 100.0 * uniform(state) < set->prealloc;
        if (making && set->exists[order[i]])
            write_file(&set->files[order[i]], block);
    }
    set->idle = set->entries;
    pthread_mutex_init(&set->lock, NULL);
    pthread_cond_init(&set->some_idle, NULL);
    pthread_cond_init(&set->file_free, NULL);
    free(order);
    free(block);
}

/* Return the first file from `at` on, around the end, that exists or does not; NULL when there is none. */
static struct file *first_from(const struct fileset *set, size_t at, bool exists)
{
    const unsigned char *start = set->exists, *found;
    at = at < set->entries ? at : 0;
    found = memchr(start + at, exists, set->entries - at);
    if (!found)
        found = memchr(start, exists, at);
    return found ? &set->files[found - start] : NULL;
}

struct file *pick(struct fileset *set, bool exists)
{
    pthread_mutex_lock(&set->lock);
    while (set->idle == 0)
        pthread_cond_wait(&set->some_idle, &set->lock);
    struct file *first = first_from(set, set->rotor[exists], exists), *file = first;
    if (first)
        set->rotor[exists] = (size_t)(first - set->files) + 1;
    while (file && file->busy) {
        file = first_from(set, (size_t)(file - set->files) + 1, exists);
        if (file == first)
            file = NULL;
    }
    if (file) {
        file->busy = true;
        set->idle--;
    }
    pthread_mutex_unlock(&set->lock);
    return file;
}

void take(struct fileset *set, struct file *file)
{
    pthread_mutex_lock(&set->lock);
    while (file->busy) {
        file->awaited = true;
        pthread_cond_wait(&set->file_free, &set->lock);
    }
    file->busy = true;
    set->idle--;
    pthread_mutex_unlock(&set->lock);
}

void give_back(struct fileset *set, struct file *file, bool exists, int opened)
{
    pthread_mutex_lock(&set->lock);
    set->exists[file - set->files] = exists;
    file->open = (unsigned)((int)file->open + opened);
    file->busy = false;
    set->idle++;
    pthread_cond_signal(&set->some_idle);
    if (file->awaited)
        pthread_cond_broadcast(&set->file_free);
    file->awaited = false;
    pthread_mutex_unlock(&set->lock);
}

static int by_size(const void *one, const void *other)
{
    uint64_t a = ((const struct file *)one)->size, b = ((const struct file *)other)->size;
    return (a > b) - (a < b);
}

static void print_set(struct fileset *set)
{
    static const size_t percents[] = {5, 25, 50, 75, 95, 99};
    uint64_t total = 0;
    size_t exist = 0;
    for (size_t i = 0; i < set->entries; i++) {
        total += set->files[i].size;
        exist += set->exists[i];
    }
    qsort(set->files, set->entries, sizeof *set->files, by_size); /* nobody needs the order any more */
    printf("{\"name\": \"%s\", \"files\": %zu, \"directories\": %zu, \"exist\": %zu, \"bytes\": %ju, \"size_quantiles\": {",
           set->name, set->entries, set->directories, exist, (uintmax_t)total);
    for (size_t i = 0; i < sizeof percents / sizeof *percents; i++)
        printf("%s\"%zu\": %ju", i ? ", " : "", percents[i],
               (uintmax_t)set->files[(set->entries - 1) * percents[i] / 100].size);
    printf("}}");
}

void read_fileset(const char *word)
{
    struct fileset *set = &sets[set_count++];
    if (set_count > SETS)
        die(2, "more than %d file sets", SETS);
    if (sscanf(word, "fileset=%31[A-Za-z0-9_],%zu,%lf,%lf,%lf,%lf,%d", set->name, &set->entries, &set->size,
               &set->gamma, &set->width, &set->prealloc, &set->readonly) != 7)
        die(2, "'%s' is no file set", word);
    if (set->entries < 1 || set->entries > 10000000 || set->size < 0 || set->gamma < 0 || set->width < 2)
        die(2, "'%s': entries must be from 1 to 10000000, dirwidth at least 2", word);
    size_t used = strlen(layout_words);
    snprintf(layout_words + used, sizeof layout_words - used, "%s\n", word);
}

/* What was laid out stands in a file of the directory; it is gone when the layout has been used. */

static void mark(char *path, char *text, size_t room)
{
    snprintf(path, PATH_MAX, "%s/.layout", base);
    snprintf(text, room, "%s %ju\n%s", VERSION, (uintmax_t)seed, layout_words);
}

static void mark_layout(void)
{
    char path[PATH_MAX], text[sizeof layout_words + 64];
    mark(path, text, sizeof text);
    FILE *file = fopen(path, "wx");
    if (!file || fputs(text, file) < 0 || fclose(file))
        die(1, "%s: %s", path, strerror(errno));
}

void use_layout(void)
{
    char path[PATH_MAX], wanted[sizeof layout_words + 64], found[sizeof wanted];
    mark(path, wanted, sizeof wanted);
    FILE *file = fopen(path, "r");
    if (!file)
        die(1, "there is no unused layout in %s: every run needs a fresh one", base);
    size_t length = fread(found, 1, sizeof found, file);
    fclose(file);
    if (length != strlen(wanted) || memcmp(wanted, found, length))
        die(1, "the layout in %s is another one", base);
    if (unlink(path))
        die(1, "%s: %s", path, strerror(errno));
}

void populate_all(bool making)
{
    uint64_t state = seed;
    if (making)
        make_directory(base);
    for (size_t i = 0; i < set_count; i++)
        populate(&sets[i], &state, making);
    if (making)
        mark_layout();
}

void print_filesets(void)
{
    fputs("\"filesets\": [", stdout);
    for (size_t i = 0; i < set_count; i++) {
        fputs(i ? ",\n  " : "\n  ", stdout);
        print_set(&sets[i]);
    }
    puts("]}");
}
