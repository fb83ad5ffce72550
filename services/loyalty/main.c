#include "common/service/service.h"
#include "services/loyalty/loyalty_service.h"

int main(int argc, char **argv)
{
    return service_main(&loyalty_definition, argc, argv);
}
