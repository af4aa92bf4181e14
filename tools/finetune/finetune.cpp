// cambium finetune: reads the command line into a Request, plans, says what is going to happen, trains and reports. All
// that decides the result is in the configuration by then; --resume starts from that.
#include "tools/finetune/finetune.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <limits>
#include <sstream>

#include "data/formats/atomic_file.h"
#include "engine/base/fail.h"
#include "engine/base/isa.h"
#include "engine/base/parallel.h"
#include "models/nearest.h"
#include "tools/common/command.h"
#include "tools/common/device.h"
#include "tools/common/weights_path.h"
#include "tools/finetune/console.h"
#include "tools/finetune/results.h"
#include "tools/report/report.h"
#include "tools/training/interrupt.h"

namespace cambium {
namespace {

namespace fs = std::filesystem;

struct Options {
    Request request;
    std::string out, resume, freeze, train;
    bool json = false, dry_run = false, skip_unreadable = false;
    bool no_augment = false, no_balance = false;
    std::string norms = "auto";
    std::int64_t seed = 0;
    std::vector<std::string> given;  // names of the options on the command line
};

std::string text_of(const fs::path& file) {
    std::ifstream stream(file, std::ios::binary);
    std::stringstream text;
    text << stream.rdbuf();
    return text.str();
}

// "Intel(R) Xeon(R) ...", as the kernel has it; empty where it does not say.
std::string processor() {
    std::ifstream file("/proc/cpuinfo");
    for (std::string line; std::getline(file, line);) {
        if (line.starts_with("model name")) return line.substr(std::min(line.size(), line.find(':') + 2));
    }
    return {};
}

// runs/photos-gradual, or with the first free number behind it. An empty folder, which an early end leaves, is free.
fs::path default_folder(const Request& request) {
    std::string name;
    for (const char c : fs::path(request.data).lexically_normal().filename().string()) {
        name += std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '.' || c == '_' ? c : '-';
    }
    const std::string base = fmt::format("runs/{}-{}", name.empty() ? "data" : name, request.recipe);
    std::error_code error;
    for (int number = 1;; ++number) {
        fs::path folder = number == 1 ? base : fmt::format("{}-{}", base, number);
        if (!fs::exists(folder, error) || fs::is_empty(folder, error)) return folder;
    }
}

// The folder of a new run. It is made before anything is computed, so that one that cannot be written is known at once,
// and is removed again if the run does not begin.
class NewFolder {
  public:
    explicit NewFolder(const Options& options)
        : path_(options.out.empty() ? default_folder(options.request) : fs::path(options.out)) {
        std::error_code error;
        if (fs::exists(path_ / "config.json", error)) {
            fail_usage("{} holds a run already; continue it with --resume {}, or take another --out", path_.string(),
                       path_.string());
        }
        for (fs::path part = fs::absolute(path_); !fs::exists(part, error) && part.has_relative_path();
             part = part.parent_path()) {
            made_.push_back(part);
        }
        fs::create_directories(path_, error);
        if (error) fail("cannot make the folder {}: {}; take another --out", path_.string(), error.message());
        if (access(path_.c_str(), W_OK | X_OK) != 0) {
            fail("cannot write into the folder {}: {}; take another --out", path_.string(), std::strerror(errno));
        }
    }
    ~NewFolder() {
        std::error_code ignored;
        for (const fs::path& part : made_) fs::remove(part, ignored);  // innermost first; only where it is empty
    }
    NewFolder(const NewFolder&) = delete;
    NewFolder& operator=(const NewFolder&) = delete;

    const fs::path& keep() {
        made_.clear();
        return path_;
    }

  private:
    fs::path path_;
    std::vector<fs::path> made_;
};

class Finetune {
  public:
    explicit Finetune(const Options& options) : options_(options) {}

    Exit run() { return options_.resume.empty() ? start() : resume(); }

  private:
    Exit start() {
        const Request& request = options_.request;
        require_dataset(request.data);
        NewFolder folder(options_);
        const Start start = find_start(request);
        for (const std::string& note : start.source ? start.source->notes : std::vector<std::string>{}) {
            console_.say(note);
        }
        const Dataset data = open(request.data, request.seed);
        Device device = open_device(request.device, request.precision, request.provider);
        TrainingConfig config = plan(named(request, device), data, start);
        Estimate expected = estimate(options_for(config, data, start, device, {}));
        if (!expected.fits()) {
            config = smaller(named(request, device), config, expected, data, start);
            expected = estimate(options_for(config, data, start, device, {}));
        }
        console_.choices(config);
        console_.estimate(config, expected);
        if (options_.dry_run) return Exit::done;
        console_.say(fmt::format("the run is kept in {}", folder.keep().string()));
        return train(Begin::anew, config, data, start, device, folder.keep());
    }

    // The device by its own name, so that a resumed run does not choose again.
    static Request named(Request request, const Device& device) {
        request.device = device.backend->name();
        request.precision = name_of(device.precision);
        return request;
    }

    // The plan with the batches that fit into memory, unless another was asked for.
    static TrainingConfig smaller(Request request, const TrainingConfig& config, const Estimate& expected,
                                  const Dataset& data, const Start& start) {
        const std::int64_t batch = expected.batch_that_fits, evaluation = expected.evaluation_batch_that_fits;
        const std::string need = fmt::format("a batch of {} needs {} of memory, and {} are available", config.batch,
                                             bytes_text(expected.bytes), bytes_text(expected.usable));
        if (batch < 1 || evaluation < 1) {
            fail("{}; not even one photo at a time fits: take a smaller --size or --model{}", need,
                 request.recipe == "head" ? "" : ", or --recipe head");
        }
        if (request.batch && batch < config.batch) fail("{}; --batch {} fits", need, batch);
        TrainingConfig result = config;
        if (batch < config.batch) {
            request.batch = static_cast<int>(batch);
            result = plan(request, data, start);
            result.choices.push_back({"batch", std::to_string(batch), need});
        }
        if (evaluation < config.evaluation_batch) {
            result.choices.push_back({"evaluation batch", std::to_string(evaluation),
                                      fmt::format("more than {} do not fit into memory", evaluation)});
            result.evaluation_batch = evaluation;
        }
        return result;
    }

    Dataset open(const std::string& name, std::uint64_t seed) {
        Dataset data = open_dataset(
            name, {.seed = seed, .unreadable = options_.skip_unreadable ? Unreadable::skip : Unreadable::refuse});
        for (const std::string& sentence : worth_knowing(data)) console_.say(sentence);
        return data;
    }

    Exit resume() {
        const fs::path folder = options_.resume;
        const TrainingConfig config = read_config(folder / "config.json");
        refuse_conflicts(config);
        if (Checkpoint(folder / "state").load().progress.finished) {
            console_.say(fmt::format("the run in {} is finished; nothing is left to do", folder.string()));
            if (options_.json) print(text_of(folder / "result.json"));
            return Exit::done;
        }
        set_thread_count(config.threads);
        if (config.instruction_set != name_of(isa())) {
            console_.say(fmt::format(
                "the run began with {} instructions, this machine goes on with {}: results may differ in the "
                "last bits",
                config.instruction_set, name_of(isa())));
        }
        const Start start = find_start(config);
        const Dataset data = open(config.data, config.seed);
        if (list_digest(data) != config.data_digest) {
            fail("cannot resume {}: {} no longer holds the photos that the run began with", folder.string(),
                 config.data);
        }
        Device device = open_device(config.device, config.precision, config.provider);
        return train(Begin::from_state, config, data, start, device, folder);
    }

    // Whatever is said beside --resume must be what the run is.
    void refuse_conflicts(const TrainingConfig& config) const {
        const Request& r = options_.request;
        const auto absolute = [](const std::string& path) { return fs::absolute(path).lexically_normal().string(); };
        const auto same = [&](const std::string& name) {
            if (name == "DATA") return r.data == config.data || absolute(r.data) == config.data;
            if (name == "--model") return r.model == config.model;
            if (name == "--weights") return absolute(weights_path(r.weights).string()) == config.weights;
            if (name == "--recipe") return r.recipe == config.recipe;
            return name == "--seed" && r.seed == config.seed;
        };
        for (const std::string& name : options_.given) {
            bool agrees = false;
            try {
                agrees = same(name);
            } catch (const Error&) {  // weights that are nowhere are not those of the run
            }
            if (!agrees) {
                fail_usage(
                    "--resume continues the run in {} as it was configured, and {} differs from that; leave it out",
                    options_.resume, name);
            }
        }
    }

    TrainerOptions options_for(const TrainingConfig& config, const Dataset& data, const Start& start, Device& device,
                               const fs::path& folder) {
        return {config, data, start, *device.backend, device.precision, folder, cache_folder() / "features", console_};
    }

    enum class Begin : std::uint8_t { anew, from_state };

    Exit train(Begin begin, const TrainingConfig& config, const Dataset& data, const Start& start, Device& device,
               const fs::path& folder) {
        Trainer trainer(options_for(config, data, start, device, folder));
        save_on_interrupt();
        if (begin == Begin::from_state) {
            trainer.resume();
            const RunState& at = trainer.progress();
            console_.say(fmt::format("resumed at step {}: epoch {}, batch {}", at.step, at.epoch + 1, at.batch));
        } else {
            trainer.start();
            // Last, so that where there is a configuration there is a state.
            write_atomically(folder / "config.json", to_json(config));
        }
        try {
            trainer.train();
            conclude(trainer, config, data, start, folder);
        } catch (const Interrupted&) {
            console_.say(fmt::format("interrupted after step {}; continue with: cambium finetune --resume {}",
                                     trainer.progress().step, folder.string()));
            return Exit::interrupted;
        }
        return Exit::done;
    }

    void conclude(Trainer& trainer, const TrainingConfig& config, const Dataset& data, const Start& start,
                  const fs::path& folder) {
        const Outcome outcome = trainer.conclude();
        const double seconds = trainer.seconds();
        const std::string result =
            result_json({config, data, outcome, trainer.log(), *start.architecture, processor(), seconds});
        write_atomically(folder / "result.json", result);
        const ImageSource& measured = outcome.test ? *data.test : *data.validation;
        write_report(folder, {.picture = [&](std::int64_t index) { return measured.image(index); }});
        trainer.finish();
        console_.closing(outcome, config, seconds);
        console_.say(fmt::format("network: {}", (folder / "model.safetensors").string()));
        console_.say(fmt::format("report: {}", (folder / "report.html").string()));
        if (options_.json) print(result);
    }

    const Options& options_;
    Console console_;
};

// All options but DATA, for the check against a run that is resumed.
const std::vector<std::string> option_names = {
    "--model",        "--weights",     "--recipe", "--freeze",    "--train",           "--norms",      "--epochs",
    "--batch",        "--accumulate",  "--lr",     "--optimizer", "--schedule",        "--warmup",     "--momentum",
    "--weight-decay", "--layer-decay", "--clip",   "--ema",       "--label-smoothing", "--dropout",    "--size",
    "--jitter",       "--erase",       "--mixup",  "--cutmix",    "--no-augment",      "--no-balance", "--patience",
    "--save-every",   "--seed",        "--device", "--precision", "--provider",        "--out",        "--dry-run"};

void add_names(CommandLine& line, Options& o) {
    Request& r = o.request;
    line.positional("DATA", r.data, "A folder with one folder a class (or train/ and val/), a CSV, or leaves (default)",
                    CommandLine::Need::optional);
    line.option("--model", r.model, "Architecture; by default that of the weights");
    line.option("--weights", r.weights, "Pretrained weights: a file, a run's folder, or a known name");
    line.option("--recipe", r.recipe, "head, full, gradual or scratch");
    line.option("--freeze", o.freeze, "Parameters that stay as they are: patterns such as 'layer1.*,conv1.*'");
    line.option("--train", o.train, "Train only what matches these patterns");
    line.option("--norms", o.norms, "Batch norms: auto, frozen or trained");
    line.option("--optimizer", r.optimizer, "sgd, adam or adamw, in the last phase");
    line.option("--schedule", r.schedule, "constant, step, cosine (default) or one-cycle");
    line.flag("--no-augment", o.no_augment, "No random crops and flips");
    line.flag("--no-balance", o.no_balance, "No remedy where classes differ much in size");
    line.option("--device", r.device, device_help);
    line.option("--precision", r.precision, precision_help);
    line.option("--provider", r.provider, provider_help);
    line.option("--out", o.out, "Folder of the run; by default one below runs/");
    line.option("--resume", o.resume, "Continue the run in this folder, as configured");
    line.flag("--skip-unreadable", o.skip_unreadable, "Leave out photos that cannot be read");
    line.flag("--dry-run", o.dry_run, "Say what would be done, and what it would take");
    line.flag("--json", o.json, "Print result.json on standard output");
}

void add_numbers(CommandLine& line, Options& o) {
    Request& r = o.request;
    line.option("--epochs", r.epochs, "Epochs of the recipe's last phase", 1, 1'000'000);
    line.option("--batch", r.batch, "Photos a step", 1, 65536);
    line.option("--accumulate", r.accumulate, "Batches summed up for one update", 1, 65536);
    line.option("--lr", r.rate, "Largest learning rate of the last phase", 1e-12, 100);
    line.option("--warmup", r.warmup, "Share of the steps in which the rate grows", 0, 1);
    line.option("--momentum", r.momentum, "Of sgd", 0, 0.9999);
    line.option("--weight-decay", r.weight_decay, "Of matrices and filters", 0, 10);
    line.option("--layer-decay", r.layer_decay, "Rate of a layer relative to the one after it, in the last phase", 0,
                1);
    line.option("--clip", r.clip, "Largest norm of the gradient", 0, 1e6);
    line.option("--ema", r.average, "Average the weights with this decay, and keep the averages", 0, 0.999999);
    line.option("--label-smoothing", r.label_smoothing, "Share of each label given to all classes", 0, 0.999);
    line.option("--dropout", r.dropout, "Rate, instead of the model's own", 0, 0.999);
    line.option("--jitter", r.jitter, "Strength of random changes of brightness, contrast, saturation and hue", 0, 1);
    line.option("--erase", r.erase, "Probability of erasing a part of a photo", 0, 1);
    line.option("--mixup", r.mixup, "Alpha of mixing photos by weight", 0, 100);
    line.option("--cutmix", r.cutmix, "Alpha of mixing photos by pasting", 0, 100);
    line.option("--size", r.size, "Image size in pixels; by default that of the weights", 16, 4096);
    line.option("--patience", r.patience, "End a phase after so many epochs without a better one", 1, 1'000'000);
    line.option("--save-every", r.save_every, "Steps between checkpoints within an epoch", 1, 1'000'000'000);
    line.option("--seed", o.seed, "Of everything random", 0, std::numeric_limits<std::int64_t>::max());
}

void complete(const CommandLine& line, Options& o) {
    Request& r = o.request;
    r.freeze = split_patterns(o.freeze);
    r.train = split_patterns(o.train);
    r.seed = static_cast<std::uint64_t>(o.seed);
    if (o.no_augment) r.augment = Request::Augment::off;
    if (o.no_balance) r.balance = Request::Balance::off;
    constexpr std::string_view norms[] = {"auto", "frozen", "trained"};
    const auto found = std::find(std::begin(norms), std::end(norms), o.norms);
    if (found == std::end(norms)) fail_usage("there is no --norms {}; {}", o.norms, did_you_mean(o.norms, norms));
    r.norms = static_cast<Request::Norms>(found - std::begin(norms));
    if (line.given("DATA")) o.given.emplace_back("DATA");
    for (const std::string& name : option_names) {
        if (line.given(name)) o.given.push_back(name);
    }
}

}  // namespace

int finetune_command(int argc, char** argv) {
    catch_interrupts();
    Options options;
    CommandLine line("finetune", "Fine-tunes a pretrained network on your own photos.");
    add_names(line, options);
    add_numbers(line, options);
    return line.run(argc, argv, [&] {
        complete(line, options);
        return Finetune(options).run();
    });
}

}  // namespace cambium
