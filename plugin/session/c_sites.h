// What the table of the C interface has beside the plain functions: sites that a program declares, and what is kept.
#pragma once

#include <memory>

#include "plugin/saetap.h"

namespace saetap {

// As in saetap_api.
int attach_site(const saetap_site_spec* spec, saetap_site** site);
int set_site_decoder(saetap_site* site, const saetap_array* directions);
int observe_site(saetap_site* site, const saetap_call* call);
int observe_model(const char* model, const saetap_array* tokens, const saetap_array* mask, const saetap_array* rows);
int end_step();
int read_place(saetap_site* site, int64_t* place);

// c_reading.cpp
int count_sites(int64_t* count);
int read_site(int64_t place, saetap_site_info* site);
int read_site_counts(int64_t place, saetap_site_counts* counts);
int read_statistics(int64_t place, int64_t first, int64_t count, saetap_statistics* statistics);
int read_top_samples(int64_t place, int64_t feature, saetap_sample* samples, int64_t room, int64_t* count);
int read_sample_tokens(const saetap_sample* sample, int64_t before, int64_t after, int32_t* tokens, int64_t* count,
                       int64_t* at);

// Throws std::invalid_argument where a structure's maker, or its reader, knew less of it than version 1 had.
void check_size(std::uint32_t given, std::size_t least, const char* what);

// The session and number behind a handle. Throws std::invalid_argument for one that is none, NotRecording.
class Session;
struct DeclaredBehind {
  std::shared_ptr<Session> session;
  int declared = 0;
};
[[nodiscard]] DeclaredBehind behind(const saetap_site* site);

}  // namespace saetap
