# kith_version.h, for --version. Written anew at each build, touched only when it changes.
add_custom_target(
  kith_version_header
  COMMAND
    "${CMAKE_COMMAND}" "-DSOURCE=${CMAKE_SOURCE_DIR}" "-DVERSION=${PROJECT_VERSION}"
    "-DOUTPUT=${CMAKE_BINARY_DIR}/generated/kith_version.h" -P
    "${CMAKE_SOURCE_DIR}/cmake/write_version.cmake"
  BYPRODUCTS "${CMAKE_BINARY_DIR}/generated/kith_version.h"
  COMMENT "Looking at the version"
  VERBATIM)

add_library(kith_version INTERFACE)
target_include_directories(kith_version INTERFACE "${CMAKE_BINARY_DIR}/generated")
add_dependencies(kith_version kith_version_header)
