#!/usr/bin/env node
// Old syntax on purpose: an old Node must come as far as the message below.
"use strict";
(function () {
  var parts = process.versions.node.split(".");
  var major = Number(parts[0]);
  var minor = Number(parts[1]);
  if (major < 24 || (major === 24 && minor < 15)) {
    process.stderr.write(
      "owt needs Node 24.15 or newer; this is " +
        process.version +
        " (" +
        process.execPath +
        ")\n" +
        "  install it from https://nodejs.org, or from a clone run: node_modules/.bin/node bin/owt.js\n",
    );
    process.exit(3);
  }
  require("./start.js");
})();
