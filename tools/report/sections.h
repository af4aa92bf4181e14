// The parts of a report in the order in which they are read; each is HTML, empty where the run has nothing to say.
#pragma once

#include <string>
#include <string_view>

#include "tools/report/report.h"
#include "tools/report/run_record.h"

namespace cambium::report {

// headline.cpp: what came out, for someone who has never heard of a loss
std::string headline(const RunRecord& run);
std::string notices(const RunRecord& run);  // what to know before believing it

// curves.cpp
std::string curves(const RunRecord& run);

// classes.cpp: which classes are taken for which
std::string confusion(const RunRecord& run);
std::string class_table(const RunRecord& run);

// mistakes.cpp
std::string mistakes(const RunRecord& run, const ReportOptions& options);

// details.cpp: how it was done
std::string training(const RunRecord& run);
std::string choices(const RunRecord& run);
std::string data(const RunRecord& run);
std::string machine(const RunRecord& run);
std::string settings(const RunRecord& run);

// style.cpp
std::string_view style_sheet();

// What the run was fine-tuned on, shortly: "hymenoptera".
std::string data_name(const RunRecord& run);

}  // namespace cambium::report
