/*
 * The stores are mapped into memory. Where a file was cut short, or its disk cannot be read, the
 * host says so by SIGBUS at whatever instruction looked there.
 */
#ifndef KITH_SERVICE_MAP_FAULT_H
#define KITH_SERVICE_MAP_FAULT_H

/* As with a record whose checksum is wrong: what was asked for cannot be told. */
#define MAP_FAULT_EXIT 70

/* From here on SIGBUS ends the process with MAP_FAULT_EXIT and a line on standard error that names
 * the file; for the whole process, once. */
void map_fault_catch(void);

#endif
