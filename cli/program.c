#include "cli/program.h"

#include <errno.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* The folder of this program itself. */
static enum status own_folder(struct path *folder, struct refusal *refusal)
{
    ssize_t size = readlink("/proc/self/exe", folder->text, sizeof folder->text - 1);
    if (size <= 0) {
        return refusal_set(refusal, STATUS_INTERNAL, "/proc/self/exe cannot be read: %s",
                           strerror(errno));
    }
    folder->text[size] = '\0';
    char *slash = strrchr(folder->text, '/');
    if (slash != NULL) {
        *slash = '\0';
    }
    return STATUS_OK;
}

static bool found_at(struct path *path, const char *folder, size_t folder_size, const char *service)
{
    struct path tried;
    if (path_make(&tried, NULL, "%.*s/kith-%s", (int)folder_size, folder, service) != STATUS_OK ||
        access(tried.text, X_OK) != 0) {
        return false;
    }
    *path = tried;
    return true;
}

enum status program_find(const char *service, struct path *path, struct refusal *refusal)
{
    struct path own = { { 0 } };
    enum status status = own_folder(&own, refusal);
    if (status != STATUS_OK || found_at(path, own.text, strlen(own.text), service)) {
        return status;
    }
    const char *rest = getenv("PATH");
    while (rest != NULL && *rest != '\0') {
        size_t size = strcspn(rest, ":");
        if (size > 0 && size < PATH_BYTES && found_at(path, rest, size, service)) {
            return STATUS_OK;
        }
        rest += size + (rest[size] == ':' ? 1 : 0);
    }
    return refusal_set(refusal, STATUS_NOT_FOUND,
                       "there is no program kith-%s in %s or PATH; build or install it, or take "
                       "%s out of the configuration",
                       service, own.text, service);
}

enum status program_run(char *const *argv, int *code, struct refusal *refusal)
{
    pid_t pid = 0;
    (void)fflush(stdout); /* what we said comes before what it says */
    int fault =
        posix_spawn(&pid, argv[0], /* file_actions= */ NULL, /* attributes= */ NULL, argv, environ);
    if (fault != 0) {
        return refusal_set(refusal, STATUS_INTERNAL, "%s cannot be started: %s", argv[0],
                           strerror(fault));
    }
    int ended = 0;
    while (waitpid(pid, &ended, 0) < 0) {
        if (errno != EINTR) {
            return refusal_set(refusal, STATUS_INTERNAL, "%s was lost: %s", argv[0],
                               strerror(errno));
        }
    }
    *code = WIFEXITED(ended) ? WEXITSTATUS(ended) : 128 + WTERMSIG(ended);
    return STATUS_OK;
}
