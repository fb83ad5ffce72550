#include "common/service/service.h"
#include "services/ingestion/ingestion_service.h"

int main(int argc, char **argv)
{
    return service_main(&ingestion_definition, argc, argv);
}
