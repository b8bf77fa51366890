/*
 * files: threads that work through one loop of file operations on a set of files. The program of primetime's workload
 * `files`; its personalities are Filebench's, written from their behaviour: nothing is taken from its code.
 *
 *   files layout DIRECTORY SEED SET...
 *   files run    DIRECTORY SEED SET... threads=N memsize=BYTES runtime=SECONDS OP...
 *   files describe DIRECTORY SEED SET...    (what a layout would be)
 *   files --version
 *
 *   SET: fileset=NAME,ENTRIES,MEAN_SIZE,SIZE_GAMMA,DIRECTORY_WIDTH,PREALLOCATED_PERCENT,READONLY   (gamma 0: all equal)
 *   OP:  op=KIND,NAME,SET,FD,IOSIZE
 *
 * A file set is a pure function of its words and the seed: `layout` writes it, `run` knows what was written. A layout
 * is good for one run. Files that exist are taken in rotation, by one rotor for all threads, and likewise those that
 * do not. The result is one JSON document. Exit codes: 0 done, 1 failed (the reason is on stderr), 2 wrong words.
 */
#define _GNU_SOURCE
#include "files.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define OPS 64
#define SLOTS 4     /* files that a thread holds open at once */
#define BUCKETS 512 /* of latencies: eight to a doubling */

struct tally {
    uint64_t count, bytes, total_ns, least_ns, most_ns, buckets[BUCKETS];
};

struct worker {
    pthread_t thread;
    uint64_t random, began_ns;
    char *memory;
    struct { int fd; struct file *file; struct fileset *set; } slots[SLOTS];
    struct tally tallies[OPS];
};

struct op {
    void (*act)(struct worker *, const struct op *, struct tally *);
    char kind[32], name[32];
    struct fileset *set;
    unsigned slot;
    uint64_t iosize;
};

static struct op ops[OPS];
static struct tally totals[OPS];
static size_t op_count, thread_count, memsize;
static double runtime_s, seconds, cpu_s; /* asked for; the window really had */

static atomic_bool stopping;
static pthread_barrier_t gate;

static uint64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* The operations. Only what lies between begin and end is timed. */

static void begin(struct worker *worker)
{
    worker->began_ns = now_ns();
}

static size_t bucket_of(uint64_t ns)
{
    if (ns < 8)
        return ns;
    unsigned power = 63u - (unsigned)__builtin_clzll(ns);
    size_t bucket = (power - 2) * 8 + ((ns >> (power - 3)) & 7);
    return bucket < BUCKETS ? bucket : BUCKETS - 1;
}

static void end(struct worker *worker, struct tally *tally, uint64_t bytes)
{
    uint64_t took = now_ns() - worker->began_ns;
    if (atomic_load_explicit(&stopping, memory_order_relaxed))
        return; /* it ended after the window */
    tally->least_ns = tally->count && tally->least_ns < took ? tally->least_ns : took;
    tally->most_ns = tally->most_ns > took ? tally->most_ns : took;
    tally->total_ns += took;
    tally->count++;
    tally->bytes += bytes;
    tally->buckets[bucket_of(took)]++;
}

/* Nobody goes on after a failure: without all its threads a run has no result. */
__attribute__((noreturn)) static void fail_at(const char *call, const char *path)
{
    die(1, "%s %s: %s", call, path, strerror(errno));
}

static struct file *picked(const struct op *op, bool exists)
{
    struct file *file = pick(op->set, exists);
    if (!file)
        die(1, "NO VALID RESULTS: %s found no free file in %s: take more files, fewer threads or a shorter run",
            op->name, op->set->name);
    return file;
}

/* Open a file that exists, or create one that does not. `tally` is NULL where the opening is not counted. */
static void open_one(struct worker *worker, const struct op *op, struct tally *tally, bool exists)
{
    struct stat parent;
    struct file *file = picked(op, exists);
    begin(worker);
    if (!exists && stat(file->directory, &parent))
        fail_at("stat", file->directory);
    int fd = open(file->path, (op->set->readonly ? O_RDONLY : O_RDWR) | (exists ? 0 : O_CREAT), 0666);
    if (fd < 0)
        fail_at("open", file->path);
    if (tally)
        end(worker, tally, 0);
    worker->slots[op->slot].fd = fd;
    worker->slots[op->slot].file = file;
    worker->slots[op->slot].set = op->set;
    give_back(op->set, file, true, 1);
}

static void openfile(struct worker *worker, const struct op *op, struct tally *tally)
{
    open_one(worker, op, tally, true);
}

static void createfile(struct worker *worker, const struct op *op, struct tally *tally)
{
    open_one(worker, op, tally, false);
}

static void closefile(struct worker *worker, const struct op *op, struct tally *tally)
{
    struct file *file = worker->slots[op->slot].file;
    struct fileset *set = worker->slots[op->slot].set;
    take(set, file);
    begin(worker);
    if (close(worker->slots[op->slot].fd))
        fail_at("close", file->path);
    end(worker, tally, 0);
    worker->slots[op->slot].file = NULL;
    give_back(set, file, true, -1);
}

/* A file that somebody holds open is left alone, and no delete is counted. */
static void deletefile(struct worker *worker, const struct op *op, struct tally *tally)
{
    struct file *file = picked(op, true);
    bool left = file->open > 0; /* it is busy: nobody changes the number now */
    if (!left) {
        begin(worker);
        if (unlink(file->path))
            fail_at("unlink", file->path);
        end(worker, tally, 0);
    }
    give_back(op->set, file, left, 0);
}

static void statfile(struct worker *worker, const struct op *op, struct tally *tally)
{
    struct stat found;
    struct file *file = picked(op, true);
    begin(worker);
    if (stat(file->path, &found))
        fail_at("stat", file->path);
    end(worker, tally, 0);
    give_back(op->set, file, true, 0);
}

static void syncfile(struct worker *worker, const struct op *op, struct tally *tally)
{
    begin(worker);
    if (fsync(worker->slots[op->slot].fd))
        fail_at("fsync", worker->slots[op->slot].file->path);
    end(worker, tally, 0);
}

/* Where in the thread's memory this much lies: at any multiple of it, so that caches see more than one place. */
static char *place(struct worker *worker, uint64_t size)
{
    return worker->memory + below(&worker->random, memsize - size) / size * size;
}

static void write_out(struct worker *worker, const struct op *op, uint64_t size)
{
    char *memory = place(worker, size < op->iosize ? size : op->iosize);
    for (uint64_t done = 0; done < size;) {
        uint64_t rest = size - done;
        ssize_t wrote = write(worker->slots[op->slot].fd, memory, rest < op->iosize ? rest : op->iosize);
        if (wrote <= 0)
            fail_at("write", worker->slots[op->slot].file->path);
        done += (uint64_t)wrote;
    }
}

static void writewholefile(struct worker *worker, const struct op *op, struct tally *tally)
{
    uint64_t size = worker->slots[op->slot].file->size;
    begin(worker);
    if (size)
        write_out(worker, op, size);
    end(worker, tally, size);
}

/* Less than iosize, uniformly. A file of its own, such as a log, is opened at the first time and stays open. */
static void appendfilerand(struct worker *worker, const struct op *op, struct tally *tally)
{
    uint64_t size = below(&worker->random, op->iosize);
    if (!worker->slots[op->slot].file)
        open_one(worker, op, NULL, true);
    begin(worker);
    if (size && lseek(worker->slots[op->slot].fd, 0, SEEK_END) < 0)
        fail_at("lseek", worker->slots[op->slot].file->path);
    if (size)
        write_out(worker, op, size);
    end(worker, tally, size);
}

static void readwholefile(struct worker *worker, const struct op *op, struct tally *tally)
{
    char *memory = place(worker, op->iosize);
    int fd = worker->slots[op->slot].fd;
    uint64_t bytes = 0;
    ssize_t got;
    begin(worker);
    if (lseek(fd, 0, SEEK_SET) < 0)
        fail_at("lseek", worker->slots[op->slot].file->path);
    while ((got = read(fd, memory, op->iosize)) > 0)
        bytes += (uint64_t)got;
    if (got < 0)
        fail_at("read", worker->slots[op->slot].file->path);
    end(worker, tally, bytes);
}

/* What an op asks of its fd: N nothing, O that it is open, C that it is closed, F that it is open or a set is named. */
static const struct {
    const char *name;
    void (*act)(struct worker *, const struct op *, struct tally *);
    char asks;
} kinds[] = {
    {"createfile", createfile, 'C'},         {"openfile", openfile, 'C'},       {"closefile", closefile, 'O'},
    {"deletefile", deletefile, 'N'},         {"statfile", statfile, 'N'},       {"fsync", syncfile, 'O'},
    {"writewholefile", writewholefile, 'O'}, {"appendfilerand", appendfilerand, 'F'},
    {"readwholefile", readwholefile, 'O'},
};

/* The run. */

static void *work(void *given)
{
    struct worker *worker = given;
    size_t noisy = memsize < BLOCK ? memsize : BLOCK;
    worker->memory = claim(1, memsize);
    fill_with_noise(worker->memory, noisy, &worker->random);
    for (size_t at = noisy; at < memsize; at += noisy)
        memcpy(worker->memory + at, worker->memory, memsize - at < noisy ? memsize - at : noisy);
    pthread_barrier_wait(&gate); /* everybody is there */
    pthread_barrier_wait(&gate); /* the window is open */
    for (size_t i = 0; !atomic_load_explicit(&stopping, memory_order_relaxed); i = (i + 1) % op_count)
        ops[i].act(worker, &ops[i], &worker->tallies[i]);
    free(worker->memory);
    return NULL;
}

static struct worker *start_workers(void)
{
    struct worker *workers = claim(thread_count, sizeof *workers);
    pthread_attr_t small;
    pthread_barrier_init(&gate, NULL, (unsigned)thread_count + 1);
    pthread_attr_init(&small);
    pthread_attr_setstacksize(&small, 256 * 1024);
    for (size_t i = 0; i < thread_count; i++) {
        workers[i].random = seed ^ (0x51ed2701u * (i + 1));
        int error = pthread_create(&workers[i].thread, &small, work, &workers[i]);
        if (error)
            die(1, "thread %zu of %zu does not start: %s", i + 1, thread_count, strerror(error));
    }
    pthread_attr_destroy(&small);
    return workers;
}

static void add_up(struct tally *to, const struct tally *from)
{
    if (!from->count)
        return;
    to->least_ns = to->count && to->least_ns < from->least_ns ? to->least_ns : from->least_ns;
    to->most_ns = to->most_ns > from->most_ns ? to->most_ns : from->most_ns;
    to->count += from->count;
    to->bytes += from->bytes;
    to->total_ns += from->total_ns;
    for (size_t bucket = 0; bucket < BUCKETS; bucket++)
        to->buckets[bucket] += from->buckets[bucket];
}

static double cpu_used(void)
{
    struct rusage used;
    getrusage(RUSAGE_SELF, &used);
    return (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec)
           + (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
}

/* Open the window, wait, close it, and add up what everybody did in it. */
static void run_threads(void)
{
    struct worker *workers = start_workers();
    pthread_barrier_wait(&gate);
    double used = cpu_used();
    uint64_t t0 = now_ns(), until = t0 + (uint64_t)(runtime_s * 1e9);
    pthread_barrier_wait(&gate);
    struct timespec end_of_window = {(time_t)(until / 1000000000u), (long)(until % 1000000000u)};
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &end_of_window, NULL) == EINTR)
        continue;
    atomic_store(&stopping, true);
    seconds = (double)(now_ns() - t0) / 1e9;
    cpu_s = cpu_used() - used;
    for (size_t i = 0; i < thread_count; i++) {
        pthread_join(workers[i].thread, NULL);
        for (size_t j = 0; j < op_count; j++)
            add_up(&totals[j], &workers[i].tallies[j]);
    }
    free(workers);
}

/* The result. */

static double quantile(const struct tally *tally, double part)
{
    uint64_t wanted = (uint64_t)(part * (double)tally->count), seen = 0;
    size_t bucket = 0;
    while (bucket < BUCKETS - 1 && (seen += tally->buckets[bucket]) <= wanted)
        bucket++;
    if (bucket < 8)
        return (double)bucket / 1e9;
    double step = exp2((double)(bucket / 8) - 1.0);
    return (8.0 + (double)(bucket % 8) + 0.5) * step / 1e9;
}

static void print_op(const struct op *op, const struct tally *tally)
{
    double mean = tally->count ? (double)tally->total_ns / (double)tally->count / 1e9 : 0.0;
    printf("{\"name\": \"%s\", \"kind\": \"%s\", \"count\": %ju, \"bytes\": %ju, ", op->name, op->kind,
           (uintmax_t)tally->count, (uintmax_t)tally->bytes);
    printf("\"latency_s\": {\"mean\": %.9f, \"min\": %.9f, \"p50\": %.9f, \"p99\": %.9f, \"max\": %.9f}}", mean,
           (double)tally->least_ns / 1e9, quantile(tally, 0.5), quantile(tally, 0.99), (double)tally->most_ns / 1e9);
}

static void print_result(void)
{
    printf("{\"program\": \"%s\", \"seed\": %ju, \"threads\": %zu, \"seconds\": %.6f, \"cpu_s\": %.6f,\n \"operations\": [",
           VERSION, (uintmax_t)seed, thread_count, seconds, cpu_s);
    for (size_t i = 0; i < op_count; i++) {
        fputs(i ? ",\n  " : "\n  ", stdout);
        print_op(&ops[i], &totals[i]);
    }
    fputs("],\n ", stdout);
    print_filesets();
}

/* The words. */

/* `open`: which fds are open at this place of the loop. */
static void read_op(const char *word, bool *open)
{
    struct op *op = &ops[op_count++];
    char set[32];
    char asks = 0;
    if (op_count > OPS)
        die(2, "more than %d operations", OPS);
    if (sscanf(word, "op=%31[a-z],%31[A-Za-z0-9_],%31[A-Za-z0-9_-],%u,%" SCNu64, op->kind, op->name, set, &op->slot,
               &op->iosize) != 5)
        die(2, "'%s' is no operation", word);
    for (size_t i = 0; i < set_count; i++)
        if (!strcmp(sets[i].name, set))
            op->set = &sets[i];
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (!strcmp(kinds[i].name, op->kind)) {
            op->act = kinds[i].act;
            asks = kinds[i].asks;
        }
    if (!op->act || op->slot >= SLOTS || op->iosize < 1 || op->iosize >= memsize)
        die(2, "'%s': an unknown kind, an fd from %d on, or an iosize not smaller than memsize", word, SLOTS);
    bool lacking = asks == 'O' ? !open[op->slot] : asks == 'C' ? open[op->slot] || !op->set : !op->set;
    if (lacking && !(asks == 'F' && open[op->slot]))
        die(2, "'%s' is not possible at this place", word);
    if (asks == 'C' || op->act == closefile)
        open[op->slot] = asks == 'C';
}

static void read_words(int argc, char **argv)
{
    bool open[SLOTS] = {false};
    for (int i = 4; i < argc; i++) {
        if (!strncmp(argv[i], "fileset=", 8))
            read_fileset(argv[i]);
        else if (!strncmp(argv[i], "op=", 3))
            read_op(argv[i], open);
        else if (sscanf(argv[i], "threads=%zu", &thread_count) + sscanf(argv[i], "memsize=%zu", &memsize)
                     + sscanf(argv[i], "runtime=%lf", &runtime_s) != 1)
            die(2, "'%s' is not understood", argv[i]);
    }
    for (size_t slot = 0; slot < SLOTS; slot++)
        if (open[slot])
            die(2, "the loop leaves fd %zu open", slot);
}

int main(int argc, char **argv)
{
    char *rest;
    if (argc == 2 && !strcmp(argv[1], "--version"))
        return puts(VERSION) < 0;
    bool running = argc > 1 && !strcmp(argv[1], "run"), making = argc > 1 && !strcmp(argv[1], "layout");
    if (argc < 5 || !(running || making || !strcmp(argv[1], "describe")))
        die(2, "files layout|run|describe DIRECTORY SEED fileset=... (see the head of files.c)");
    base = argv[2];
    seed = strtoull(argv[3], &rest, 10);
    if (*rest || rest == argv[3])
        die(2, "'%s' is no seed", argv[3]);
    read_words(argc, argv);
    if (!set_count || (running && (!op_count || runtime_s <= 0 || thread_count < 1 || thread_count > 4096)))
        die(2, "needed are a file set and, for a run, ops, runtime and from 1 to 4096 threads");
    if (running)
        use_layout();
    populate_all(making);
    if (running) {
        run_threads();
        print_result();
    } else if (!making) {
        putchar('{');
        print_filesets();
    }
    return fflush(stdout) != 0;
}
