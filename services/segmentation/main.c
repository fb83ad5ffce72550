#include "common/service/service.h"
#include "services/segmentation/segmentation_service.h"

int main(int argc, char **argv)
{
    return service_main(&segmentation_definition, argc, argv);
}
