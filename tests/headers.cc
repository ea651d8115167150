// Only the place where the headers that all tests include are read once: see CMakeLists.txt.
