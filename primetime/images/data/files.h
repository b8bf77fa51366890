/* What files.c and fileset.c share: a set of files on the disk, and who holds which of them. */
#ifndef FILES_H
#define FILES_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define VERSION "files 1"
#define SETS 4
#define BLOCK (1u << 20) /* of a layout's writes, and of the noise in a thread's memory */

struct file {
    char *path;
    const char *directory;
    uint64_t size;           /* what it is written with; appends come on top */
    unsigned open;           /* by how many threads */
    bool busy, awaited;
};

struct fileset {
    char name[32];
    size_t entries, directories, made, idle;
    double size, gamma, width, depth, prealloc;
    int readonly;
    struct file *files;
    unsigned char *exists;   /* 1 or 0 for each file */
    size_t rotor[2];         /* where to look next for a file that does not exist, and for one that does */
    pthread_mutex_t lock;
    pthread_cond_t some_idle, file_free;
};

extern struct fileset sets[SETS];
extern size_t set_count;
extern uint64_t seed;
extern const char *base;     /* the directory that holds the sets */

/* Say why on stderr and exit: 1 when something failed, 2 for wrong words. */
__attribute__((noreturn, format(printf, 2, 3))) void die(int code, const char *format, ...);
void *claim(size_t count, size_t size);

uint64_t next_random(uint64_t *state);
uint64_t below(uint64_t *state, uint64_t limit);
void fill_with_noise(char *memory, size_t size, uint64_t *state);

void read_fileset(const char *word);
/* Decide what all sets hold and, with `making`, write it. */
void populate_all(bool making);
void use_layout(void);
void print_filesets(void);

/* Take the next file that exists, or does not, and that nobody else has taken; NULL when there is none. */
struct file *pick(struct fileset *set, bool exists);
/* Take a file that this thread holds open. */
void take(struct fileset *set, struct file *file);
/* `opened`: how many more threads have it open now. */
void give_back(struct fileset *set, struct file *file, bool exists, int opened);

#endif
