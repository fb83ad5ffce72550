#include "common/service/service.h"
#include "services/reporting/reporting_service.h"

int main(int argc, char **argv)
{
    return service_main(&reporting_definition, argc, argv);
}
