// The keys about other gateways that share what this one knows.
#pragma once

#include "agent/settings/key.h"

namespace postern::agent {

Section cluster_section();

/// What is wrong with them together.
void check_cluster(ParsedConfiguration& parsed);

}  // namespace postern::agent
