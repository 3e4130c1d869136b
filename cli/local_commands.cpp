#include "artifact/artifact.h"
#include "bundle.h"
#include "bundle_config.h"
#include "child_process.h"
#include "commands.h"
#include "event_stream.h"
#include "host_config/config.h"
#include "wire/ulid.h"
#include <ostream>

namespace trellis::cli {
namespace {

namespace fs = std::filesystem;

struct InitArguments {
  BundleOptions bundle; // its defaults are the options'
  std::string out;
  std::int64_t trellis_port = bundle.trellis_port;
  std::int64_t monitor_port = bundle.monitor_port;
  bool force = false, native = false, container = false, static_policy = false;
  std::string auth_plugin;
  std::string container_runtime = "auto", nats_box_image; // of the existing CLI, without effect
};

// The control plane's plugin: as given, or where it is installed or built.
Result<ControlPlanePlugin> find_auth_plugin(const std::string &given) {
  auto file = given.empty() ? find_plugin("auth") : Result<fs::path>(fs::absolute(given).lexically_normal());
  if (!file) {
    Error error = file.error();
    error.expected += ", --auth-plugin FILE, or --static for a policy file instead of a control plane";
    return tl::unexpected(std::move(error));
  }
  const auto artifact = Artifact::open(*file);
  if (!artifact) return tl::unexpected(artifact.error());
  return ControlPlanePlugin{std::move(*file), artifact->sha256_hex()};
}

int run_init(InitArguments arguments, Output &out) {
  if (arguments.native && arguments.container)
    return out.fail(Error{"bundle_option", "--native", "can't go with --container", "one of them", {}});
  if (arguments.static_policy && !arguments.auth_plugin.empty())
    return out.fail(Error{"bundle_option", "--static", "can't go with --auth-plugin", "one of them", {}});
  BundleOptions &options = arguments.bundle;
  options.dir = fs::absolute(arguments.out).lexically_normal();
  if (!options.dir.has_filename()) options.dir = options.dir.parent_path(); // "DIR/"
  options.native = !arguments.container;
  options.trellis_port = static_cast<std::uint16_t>(arguments.trellis_port);
  options.monitor_port = static_cast<std::uint16_t>(arguments.monitor_port);
  if (!arguments.static_policy) {
    auto plugin = find_auth_plugin(arguments.auth_plugin);
    if (!plugin) return out.fail(plugin.error());
    options.control_plane = std::move(*plugin);
  }
  const auto bundle = make_bundle(options, unix_ms_now() / 1000);
  if (!bundle) return out.fail(bundle.error());
  if (const auto written = write_bundle(*bundle, options.dir, arguments.force); !written)
    return out.fail(written.error());
  if (out.format() == Output::Format::json) {
    out.out() << bundle->manifest_json << std::flush;
    return 0;
  }
  const auto path = [&](const char *file) { return (options.dir / file).string(); };
  Report report("local bundle written");
  report.text("out", options.dir.string())
      .text("manifest", path(bundle_path::kManifest))
      .text("trellisConfig", path(bundle_path::kTrellisConfig))
      .text("natsConfig", path(bundle_path::kNatsConf))
      .text("publicOrigin", options.public_origin)
      .text("natsServer", options.nats_url)
      .text("natsWebsocket", options.websocket_url)
      .text("hostConfig", path(bundle_path::kHostConfig));
  if (options.control_plane)
    report.text("controlPlane", options.control_plane->path.string());
  else
    report.text("hostPolicy", path(bundle_path::kPolicy));
  out.show(report);
  return 0;
}

struct StreamArguments {
  std::string bundle;
  std::int64_t replicas = 1;
};

int run_event_stream(const StreamArguments &arguments, Output &out) {
  const auto folder = fs::absolute(arguments.bundle).lexically_normal();
  const auto config = host::load_config(folder / bundle_path::kHostConfig);
  if (!config) return out.fail(config.error());
  const auto credentials = folder / "nats/creds/trellis-auth.creds";
  if (auto made = make_event_stream(config->nats_servers, credentials, arguments.replicas); !made)
    return out.fail(made.error());
  Report report("the event stream is there");
  report.text("stream", "trellis").text("subjects", "events.>").number("replicas", arguments.replicas);
  out.show(report);
  return 0;
}

void add_event_stream(Command &local) {
  const auto arguments = std::make_shared<StreamArguments>();
  auto stream = local.command("event-stream", "Make the stream that events need, where no control plane makes it");
  stream.option("--bundle", arguments->bundle, "folder that `local init --static` made", Presence::required);
  stream.number("--replicas", arguments->replicas, 1, 5, "copies of the stream in a NATS cluster");
  stream.action([arguments](Output &out) { return run_event_stream(*arguments, out); });
}

} // namespace

void add_local_commands(Command root) {
  const auto arguments = std::make_shared<InitArguments>();
  BundleOptions &bundle = arguments->bundle;
  auto local = root.group("local", "Installations on this machine");
  add_event_stream(local);
  auto init = local.command("init", "Make operator, accounts, users, seeds and configuration of an installation");
  init.option("--out", arguments->out, "folder that the bundle will be", Presence::required);
  init.flag("--force", arguments->force, "replace the folder when it isn't empty");
  init.option("--operator-name", bundle.operator_name, "name of the NATS operator");
  init.option("--system-account", bundle.system_account, "name of the system account");
  init.option("--auth-account", bundle.auth_account, "name of the account with the auth callout");
  init.option("--trellis-account", bundle.trellis_account, "name of the account of all participants");
  init.option("--server-name", bundle.server_name, "name of the NATS server");
  init.number("--trellis-port", arguments->trellis_port, 1, 65535, "HTTP port of the control plane");
  init.option("--nats-server-url", bundle.nats_url, "NATS for native clients; the server listens on its port");
  init.option("--nats-websocket-url", bundle.websocket_url, "NATS for browsers; \"\" = no websocket listener");
  init.option("--public-origin", bundle.public_origin, "where browsers find the control plane");
  init.number("--monitor-port", arguments->monitor_port, 0, 65535, "NATS monitoring over HTTP; 0 = none");
  init.flag("--native", arguments->native, "folders of this machine, listeners on 127.0.0.1 (the default)");
  init.flag("--container", arguments->container, "folders below /data, listeners on 0.0.0.0");
  init.option("--auth-plugin", arguments->auth_plugin, "file of the control plane's plugin; its content is pinned");
  init.flag("--static", arguments->static_policy, "no control plane: a policy file says what plugins may do");
  init.option("--container-runtime", arguments->container_runtime, "accepted for scripts; keys are made without one");
  init.option("--nats-box-image", arguments->nats_box_image, "accepted for scripts; keys are made without one");
  init.action([arguments](Output &out) { return run_init(*arguments, out); });
}

} // namespace trellis::cli
