#include "common/service/service.h"
#include "services/campaign/campaign_service.h"

int main(int argc, char **argv)
{
    return service_main(&campaign_definition, argc, argv);
}
