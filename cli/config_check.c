#include "cli/config_check.h"

#include "cli/command.h"
#include "cli/output.h"
#include "cli/program.h"

#include <stdio.h>

static int service_check(const char *path, const char *service)
{
    struct path program;
    struct path config;
    struct refusal refusal;
    int code = EXIT_DONE;
    refusal_init(&refusal);
    char verb[] = "check-config";
    char option[] = "--config";
    enum status status = program_find(service, &program, &refusal);
    if (status == STATUS_OK) {
        status = path_make(&config, &refusal, "%s", path);
    }
    if (status == STATUS_OK) {
        char *const argv[] = { program.text, verb, option, config.text, NULL };
        status = program_run(argv, &code, &refusal);
    }
    if (status != STATUS_OK) {
        return output_refusal(/* who= */ NULL, &refusal);
    }
    return code == 0 ? EXIT_DONE : EXIT_FAILED;
}

int config_check(const char *path, struct suite_config *config)
{
    struct refusal refusal;
    refusal_init(&refusal);
    struct suite_config loaded = { 0 };
    if (suite_config_load(&loaded, path, &refusal) != STATUS_OK) {
        (void)fprintf(stderr, "%s\n", refusal.message);
        return EXIT_FAILED;
    }
    int code = EXIT_DONE;
    for (size_t i = 0; i < loaded.service_count && code == EXIT_DONE; i++) {
        code = service_check(path, loaded.services[i].name);
    }
    if (code != EXIT_DONE) {
        suite_config_release(&loaded);
        return code;
    }
    *config = loaded;
    return EXIT_DONE;
}
