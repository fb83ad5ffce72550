/* Memory that is refused to the program, and not to this library. */
#ifndef KITH_FAULTS_MEMORY_H
#define KITH_FAULTS_MEMORY_H

#include <stdbool.h>

/* From now on this thread gets all memory that it asks for, or no longer. */
void memory_exempt(bool is_exempt);

#endif
