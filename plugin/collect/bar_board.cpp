#include "plugin/collect/bar_board.h"

namespace saetap {

void BarBoard::publish(const CandidateBars& bars, std::uint32_t context_size) {
  const std::lock_guard lock(mutex_);
  latest_.activation.assign(bars.activation.begin(), bars.activation.end());
  latest_.hash.assign(bars.hash.begin(), bars.hash.end());
  end_step_ = bars.end_step;
  context_size_ = context_size;
  if (!published_) at_attach_ = latest_;
  published_ = true;
}

std::uint32_t BarBoard::read(std::uint64_t step, Bars& bars) const {
  const std::lock_guard lock(mutex_);
  bars = step < end_step_ ? latest_ : at_attach_;
  return context_size_;
}

}  // namespace saetap
