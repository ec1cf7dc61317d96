/// A run on one page.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "zoo/common/curve_plot.h"
#include "zoo/common/metrics.h"

namespace genera::zoo {

class RunFolder;

/// The curves of the figures `names` over the steps, of training (noisy) and of validation, as one
/// SVG picture.
std::string metrics_plot(std::span<const MetricsLine> lines, const std::vector<std::string>& names,
                         const PlotLabels& labels);

/// The page report.html of what the run folder holds by now: the figures on the test set, a curve per
/// metric, the newest samples, the configuration, the run's origin and machine. Pictures are part of
/// the page: it needs no other file and no network, and names no path.
std::string report_page(const RunFolder& folder);

/// Writes report_page() into the folder. DiskError.
void write_report(const RunFolder& folder);

}  // namespace genera::zoo
