#include "tools/bench/training_graph.h"

#include "engine/graph/gradients.h"
#include "engine/optim/optimizer.h"

namespace cambium {

void trace_training_step(Graph& graph, const Architecture& architecture, std::int64_t batch, std::int64_t classes,
                         const Preprocessing& preprocessing) {
    const Value images = image_input(graph, batch, preprocessing);
    const Value labels = graph.input("labels", {batch}, DType::i32);
    const Value step =
        graph.entry({.name = "dropout.step", .spec = {Shape{}, DType::i32}, .role = Role::counter, .initializer = {}});
    const Network network =
        build_network(architecture, images, {.mode = Mode::training, .classes = classes, .step = step});
    const Loss loss = softmax_cross_entropy(network.logits, labels);
    const std::vector<ParameterGradient> gradients = parameter_gradients(loss.sum);
    const Update update = sgd(graph, gradients, loss, {.momentum = 0.9});
    assign_statistics(network, update.scale);
    graph.assign(step, graph.append1(ops::Increment{}, {step}));
    graph.output("loss", scale(loss.sum, 1.0 / static_cast<double>(batch)));
}

}  // namespace cambium
