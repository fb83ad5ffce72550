# The libraries and tools we build on. Each pkg-config module becomes the target
# PkgConfig::<module>; kith_links() lets our own lists say just `lmdb` or `common_base`.
find_package(PkgConfig REQUIRED)

foreach(
  module
  libzmq
  lmdb
  libprotobuf-c
  yaml-0.1
  jansson
  libcurl
  libmicrohttpd
  libsodium
  libxxhash)
  pkg_check_modules(${module} REQUIRED QUIET IMPORTED_TARGET GLOBAL ${module})
endforeach()

if(BUILD_TESTING)
  # Not REQUIRED: whoever only wants to run the suite need not have the test library.
  pkg_check_modules(check QUIET IMPORTED_TARGET GLOBAL check)
endif()

# The first python3 in PATH may be one without the modules that the scripts need.
if(EXISTS /usr/bin/python3)
  set(Python3_EXECUTABLE /usr/bin/python3 CACHE FILEPATH "the Python that runs the checks")
endif()
if(BUILD_TESTING)
  find_package(Python3 3.9 COMPONENTS Interpreter)
endif()

# kith_links(<out> <asker> <name>...): turn names of ours and of pkg-config into targets.
function(kith_links out asker)
  set(targets)
  foreach(name IN LISTS ARGN)
    if(TARGET ${name})
      list(APPEND targets ${name})
    elseif(TARGET PkgConfig::${name})
      list(APPEND targets PkgConfig::${name})
    else()
      message(FATAL_ERROR "${asker} wants to link '${name}', which is neither a module nor a library")
    endif()
  endforeach()
  set(${out} ${targets} PARENT_SCOPE)
endfunction()
