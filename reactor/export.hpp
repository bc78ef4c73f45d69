// Public.
// SPDX-License-Identifier: MIT
#pragma once

/// Stands before the name of a namespace in every header that is installed: what such a header
/// declares is what a shared weir shows to programs. The rest of it is hidden.
///
/// Not at each class: the headers are the interface, whole, and none of their parts can be
/// forgotten. `./dev lint build` looks at the headers, tests/package at the library.
#define WEIR_API [[gnu::visibility("default")]]
