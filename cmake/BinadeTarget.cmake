# The compile settings that every target of the project shares.
include_guard()

# The flags that keep bits. No contraction of a*b+c unless the source says fma, no fast-math, no
# flushing of subnormals; without traps and errno gcc vectorises the cast loops. A test
# (tests/layout/flags_test.py) reads compile_commands.json and fails when one is lost.
set(BINADE_BIT_FLAGS -ffp-contract=off -fno-fast-math -fno-trapping-math -fno-math-errno)
set(BINADE_WARNINGS -Wall -Wextra -Wshadow -Wconversion -Wno-sign-conversion)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
  list(APPEND BINADE_WARNINGS -Wno-restrict)  # false alarms on std::string, GCC bug 105651
endif()

# binade_library(NAME FOLDER USES... ): the static library of one folder, from all its sources.
function(binade_library name)
  cmake_parse_arguments(ARG "" "HEADERS" "USES;PRIVATE" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS *.cpp)
  list(FILTER sources EXCLUDE REGEX "\\.isa\\.cpp$")
  add_library(${name} STATIC ${sources})
  add_library(binade::${name} ALIAS ${name})
  set_target_properties(${name} PROPERTIES OUTPUT_NAME binade_${name} EXPORT_NAME ${name})
  binade_settings(${name})
  target_include_directories(${name} PUBLIC
    $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include> $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
  target_link_libraries(${name} PUBLIC ${ARG_USES} PRIVATE ${ARG_PRIVATE} OpenMP::OpenMP_CXX)
endfunction()

function(binade_settings name)
  target_compile_features(${name} PUBLIC cxx_std_20)
  set(host_flags ${BINADE_BIT_FLAGS} ${BINADE_WARNINGS})
  if(BINADE_WERROR)
    list(APPEND host_flags -Werror)
  endif()
  target_compile_options(${name} PRIVATE "$<$<COMPILE_LANGUAGE:CXX>:${host_flags}>")
endfunction()

# Compiles every *.isa.cpp of this folder once per instruction set. The file sees BINADE_ISA as the
# name of the namespace that holds its code, so that no two copies of a function share a symbol.
function(binade_isa_sources name)
  file(GLOB sources CONFIGURE_DEPENDS *.isa.cpp)
  if(NOT sources)
    return()
  endif()
  set(levels baseline)
  if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
    list(APPEND levels x86_64_v3 x86_64_v4)
    target_compile_definitions(${name} PRIVATE BINADE_HAVE_X86_64_LEVELS=1)
  endif()
  foreach(level IN LISTS levels)
    string(REPLACE "_" "-" march ${level})
    set(objects ${name}_${level})
    add_library(${objects} OBJECT ${sources})
    binade_settings(${objects})
    target_compile_definitions(${objects} PRIVATE BINADE_ISA=${level})
    # Loops in these files are the product: optimised in every build type.
    target_compile_options(${objects} PRIVATE -O3
      $<$<NOT:$<STREQUAL:${level},baseline>>:-march=${march}>
      $<$<STREQUAL:${level},x86_64_v4>:-mprefer-vector-width=512>)
    target_include_directories(${objects} PRIVATE ${PROJECT_SOURCE_DIR}/include)
    target_sources(${name} PRIVATE $<TARGET_OBJECTS:${objects}>)
  endforeach()
endfunction()
