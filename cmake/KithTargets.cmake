# The kinds of things this tree is made of: modules, services, programs, tests.
# Each is found by its files; a folder that is still empty stands for nothing and does no harm.

# What people run, without the tests: cmake --build --preset release --target programs
add_custom_target(programs)

# kith_own_target(<target>): one of ours: our warnings, our include root.
function(kith_own_target target)
  target_link_libraries(${target} PRIVATE kith_own kith_version)
endfunction()

# kith_plain_library(<target> <library>...): the libraries of ours that these stand on, and these, in
# one, compiled without KITH_LTO: there a call is bound before the linker looks at --wrap.
function(kith_plain_library target)
  set(todo ${ARGN})
  set(seen)
  set(sources)
  set(others)
  while(todo)
    list(POP_FRONT todo name)
    if(name IN_LIST seen OR name MATCHES "^kith_(own|version)$")
      continue()
    endif()
    list(APPEND seen ${name})
    if(NOT name MATCHES "^common_|_(core|service)$")
      list(APPEND others ${name})
      continue()
    endif()
    get_target_property(files ${name} SOURCES)
    get_target_property(links ${name} LINK_LIBRARIES)
    list(APPEND sources ${files})
    list(APPEND todo ${links})
  endwhile()
  kith_library(${target} SOURCES ${sources} LINK)
  target_link_libraries(${target} PUBLIC ${others})
  set_target_properties(${target} PROPERTIES INTERPROCEDURAL_OPTIMIZATION OFF)
endfunction()

# kith_library(<target> SOURCES <file>... LINK <name>...): a static library, or nothing but its
# links where there are no sources yet.
function(kith_library target)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "SOURCES;LINK")
  kith_links(links ${target} ${arg_LINK})
  if(arg_SOURCES)
    add_library(${target} STATIC ${arg_SOURCES})
    target_link_libraries(${target} PUBLIC ${links})
    kith_own_target(${target})
    # Generated headers must be there before anything is compiled that may include them.
    add_dependencies(${target} kith_proto)
  else()
    add_library(${target} INTERFACE)
    target_link_libraries(${target} INTERFACE ${links})
  endif()
endfunction()

# kith_module(NAME common_x DIR common/x LINK <name>...): all *.c of one folder.
function(kith_module)
  cmake_parse_arguments(PARSE_ARGV 0 arg "" "NAME;DIR" "LINK")
  file(GLOB sources CONFIGURE_DEPENDS "${CMAKE_SOURCE_DIR}/${arg_DIR}/*.c")
  kith_library(${arg_NAME} SOURCES ${sources} LINK ${arg_LINK})
endfunction()

# kith_program(NAME <executable> DIR <folder> LINK <name>...): main.c of one folder, and as the
# library <executable>_parts all its other *.c, so that tests can link them.
function(kith_program)
  cmake_parse_arguments(PARSE_ARGV 0 arg "" "NAME;DIR" "LINK")
  set(dir "${CMAKE_SOURCE_DIR}/${arg_DIR}")
  file(GLOB sources CONFIGURE_DEPENDS "${dir}/*.c")
  if(NOT sources)
    return()
  endif()
  list(REMOVE_ITEM sources "${dir}/main.c")
  kith_library(${arg_NAME}_parts SOURCES ${sources} LINK ${arg_LINK})
  add_executable(${arg_NAME} "${dir}/main.c")
  target_link_libraries(${arg_NAME} PRIVATE ${arg_NAME}_parts)
  kith_own_target(${arg_NAME})
  add_dependencies(programs ${arg_NAME})
  install(TARGETS ${arg_NAME} RUNTIME DESTINATION "${CMAKE_INSTALL_BINDIR}")
endfunction()

# kith_service(NAME <s> [CORE <file>...] [LINK <name>...])
#
#   <s>_core     the rules: <s>_core*.c, <s>_key*.c, <s>_store*.c and the files under CORE;
#                links common_base and nothing else, so a socket in there does not link
#   <s>_service  all other files but main.c; LINK names what it needs besides the usual
#   kith-<s>     main.c
function(kith_service)
  cmake_parse_arguments(PARSE_ARGV 0 arg "" "NAME" "CORE;LINK")
  set(name ${arg_NAME})
  set(dir "${CMAKE_SOURCE_DIR}/services/${name}")
  file(GLOB all CONFIGURE_DEPENDS "${dir}/*.c")
  file(GLOB core CONFIGURE_DEPENDS "${dir}/${name}_core*.c" "${dir}/${name}_key*.c"
       "${dir}/${name}_store*.c")
  foreach(file IN LISTS arg_CORE)
    list(APPEND core "${dir}/${file}")
  endforeach()
  list(REMOVE_DUPLICATES core)
  set(shell ${all})
  list(REMOVE_ITEM shell ${core} "${dir}/main.c")

  kith_library(${name}_core SOURCES ${core} LINK common_base)
  kith_library(${name}_service SOURCES ${shell}
               LINK ${name}_core common_service common_event kith_proto ${arg_LINK})

  if(EXISTS "${dir}/main.c")
    add_executable(kith-${name} "${dir}/main.c")
    target_link_libraries(kith-${name} PRIVATE ${name}_service)
    kith_own_target(kith-${name})
    add_dependencies(programs kith-${name})
    install(TARGETS kith-${name} RUNTIME DESTINATION "${CMAKE_INSTALL_BINDIR}")
  endif()
endfunction()

# kith_link_line(<out> <file> <default>...): what the comments `/* link: a b */` in the first ten
# lines of a test file ask for. The file is then part of the configuration.
function(kith_link_line out file)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS "${file}")
  file(STRINGS "${file}" lines LIMIT_COUNT 10)
  set(links)
  foreach(line IN LISTS lines)
    if(line MATCHES "^/\\* link: *(.*[^ ]) *\\*/")
      string(REGEX REPLACE "[ \t]+" ";" words "${CMAKE_MATCH_1}")
      list(APPEND links ${words})
    endif()
  endforeach()
  if(NOT links)
    set(links ${ARGN})
  endif()
  set(${out} ${links} PARENT_SCOPE)
endfunction()

# kith_unit_test(NAME test_x [DIR tests/unit] [LINK <name>...]): one file, one program, one test.
function(kith_unit_test)
  cmake_parse_arguments(PARSE_ARGV 0 arg "" "NAME;DIR" "LINK")
  if(NOT arg_DIR)
    set(arg_DIR tests/unit)
  endif()
  kith_links(links ${arg_NAME} ${arg_LINK})
  add_executable(${arg_NAME} "${CMAKE_SOURCE_DIR}/${arg_DIR}/${arg_NAME}.c")
  target_link_libraries(${arg_NAME} PRIVATE ${links} kith_test_support PkgConfig::check)
  kith_own_target(${arg_NAME})
  add_dependencies(${arg_NAME} kith_proto)
  add_test(NAME unit.${arg_NAME} COMMAND ${arg_NAME} WORKING_DIRECTORY "${CMAKE_SOURCE_DIR}")
  set_tests_properties(unit.${arg_NAME} PROPERTIES LABELS unit TIMEOUT 120)
endfunction()

# kith_fuzz_target(NAME fuzz_x [LINK <name>...]): tests/fuzz/fuzz_x.c, which defines
# LLVMFuzzerTestOneInput(); seeds stand in tests/fuzz/corpus/fuzz_x/. Only built for fuzzing, all
# by the target fuzz_targets; tests/fuzz/run runs them.
function(kith_fuzz_target)
  cmake_parse_arguments(PARSE_ARGV 0 arg "" "NAME" "LINK")
  if(NOT KITH_FUZZ)
    return()
  endif()
  kith_links(links ${arg_NAME} ${arg_LINK})
  add_executable(${arg_NAME} "${CMAKE_SOURCE_DIR}/tests/fuzz/${arg_NAME}.c")
  target_link_libraries(${arg_NAME} PRIVATE ${links} kith_test_support)
  target_link_options(${arg_NAME} PRIVATE -fsanitize=fuzzer)
  kith_own_target(${arg_NAME})
  if(NOT TARGET fuzz_targets)
    add_custom_target(fuzz_targets)
  endif()
  add_dependencies(fuzz_targets ${arg_NAME})
endfunction()
