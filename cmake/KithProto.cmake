# The messages: proto/kith/v1/<x>.proto becomes "kith/v1/<x>.pb-c.h" and the library kith_proto.
# protoc-c's output is not clean under our warnings, so it is compiled without them and its
# folder is a system folder for those who include it.
find_program(KITH_PROTOC_C protoc-c REQUIRED)

function(kith_proto_library)
  set(root "${CMAKE_SOURCE_DIR}/proto")
  set(out "${CMAKE_BINARY_DIR}/proto")
  file(GLOB protos CONFIGURE_DEPENDS "${root}/kith/v1/*.proto")

  if(NOT protos)
    add_library(kith_proto INTERFACE)
    target_link_libraries(kith_proto INTERFACE PkgConfig::libprotobuf-c)
    return()
  endif()

  set(sources)
  file(MAKE_DIRECTORY "${out}/kith/v1")
  foreach(proto IN LISTS protos)
    get_filename_component(name "${proto}" NAME_WE)
    set(made "${out}/kith/v1/${name}.pb-c.c" "${out}/kith/v1/${name}.pb-c.h")
    # Any message file may import any other, so each depends on all.
    add_custom_command(
      OUTPUT ${made}
      COMMAND "${KITH_PROTOC_C}" "--c_out=${out}" "-I${root}" -I/usr/include
              "kith/v1/${name}.proto"
      DEPENDS ${protos}
      WORKING_DIRECTORY "${root}"
      COMMENT "protoc-c kith/v1/${name}.proto"
      VERBATIM)
    list(APPEND sources ${made})
  endforeach()

  add_library(kith_proto STATIC ${sources})
  target_compile_options(kith_proto PRIVATE -w)
  target_include_directories(kith_proto SYSTEM PUBLIC "${out}")
  target_link_libraries(kith_proto PUBLIC PkgConfig::libprotobuf-c)
endfunction()
