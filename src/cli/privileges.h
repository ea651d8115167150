// Root only for as long as it takes.
#pragma once

namespace estab::cli {

/// If this is root: becomes the user and group nobody (65534) for good, and forgoes ever gaining
/// privileges again. In a user namespace that has no such user, root is nobody's root and stays.
/// Throws Failure of status 1 if the system does not let go.
void DropPrivileges();

}  // namespace estab::cli
