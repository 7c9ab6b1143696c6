"""What deflate may refer to in the architecture section of a compact file: part of the format."""

from __future__ import annotations

# What most architectures consist of, as _lean() leaves it, for deflate to refer to: the rarest
# first, since near references are shorter. @x stands for what _SHORT says. It is part of the
# format: change a letter and old files are lost.
_SHORT = {
    "@B": '"bias_constraint":null,"bias_initializer":@Z,"bias_regularizer":null,',
    "@R": '"go_backwards":false,@K"name":"forward_lstm","recurrent_activation":"sigmoid",'
    '"recurrent_constraint":null,"recurrent_dropout":0.0,"recurrent_initializer":@C"Orthogonal",'
    '"config":{"gain":1.0,"seed":null},@Iinitializers"},"recurrent_regularizer":null,',
    "@K": '"kernel_constraint":null,"kernel_initializer":@G,"kernel_regularizer":null,',
    "@S": '"return_sequences":false,"return_state":false,"seed":null,"stateful":false,@T,',
    "@U": '"units":64,"unroll":false,"use_bias":true,"zero_output_for_mask":false},@Ilayers"},',
    "@V": '"padding":"valid","strides":[2,2],@T,"use_bias":true},@Ilayers"},',
    "@X": '"depthwise_constraint":null,"depthwise_initializer":@G,"depthwise_regularizer":null,',
    "@Y": '"beta_constraint":null,"beta_initializer":@Z,"beta_regularizer":null,"center":true,@P,'
    '"epsilon":0.001,"gamma_constraint":null,"gamma_initializer":@O,"gamma_regularizer":null,',
    "@P": '"dtype":@C"DTypePolicy","config":{"name":"float32"},"module":"keras"}',
    "@G": '@C"GlorotUniform","config":{"input_axes":null,"output_axes":null,"seed":null},'
    '@Iinitializers"}',
    "@O": '@C"Ones","config":{},@Iinitializers"}',
    "@Z": '@C"Zeros","config":{},@Iinitializers"}',
    "@N": '"inbound_nodes":[{"args":[[@C"__keras_tensor__","config":{"keras_history":["',
    "@H": '",0,0]}},@C"__keras_tensor__","config":{"keras_history":["',
    "@E": '",0,0]}}],"kwargs":{}}],@Ilayers","name":"',
    "@A": '"activation":"linear","activity_regularizer":null,',
    "@F": '"data_format":"channels_last",',
    "@D": '},@Ilayers"},',
    "@T": '"trainable":true',
    "@C": '{"class_name":',
    "@I": '"module":"keras.',
}
_DICTIONARY_TEXT = (
    '"mixed_float16""bfloat16""sigmoid""gelu""swish""elu""tanh""int32""build_config":{"input_shape"'
    ':[null,"build_input_shape":[null,@C"L2","config":{"l2":0.01},@Iregularizers"}'
    '@C"RandomUniform","config":{"maxval":0.05,"minval":-0.05,"seed":null},@Iinitializers"}'
    '@C"HeNormal","config":{@C"VarianceScaling","config":{"distribution":"truncated_normal",'
    '"input_axes":null,"mode":"fan_out","output_axes":null,"scale":2.0,"seed":null},@Iinitializers"'
    '@C"GetItem","config":{"name":"get_item"},"module":"keras.src.ops.numpy","name":"multiply",'
    '"registered_name":"@C"__slice__","config":{"start":null,"step":null,"stop":null}}'
    '@C"EinsumDense","config":{@A"bias_axes":null,@B@P,"equation":"@K"name":"einsum_dense",'
    '@C"MultiHeadAttention","config":{"activity_regularizer":null,"attention_axes":[1],@B'
    '"dropout":0.0,@P,@K"key_dim":64,"name":"multi_head_attention","num_heads":8,"output_shape":null'
    ',"seed":null,"sliding_window":null,@T,"use_bias":true,"use_gate":false,"value_dim":64@D'
    '@C"Embedding","config":{"activity_regularizer":null,@P,"embeddings_constraint":null,'
    '"embeddings_initializer":"embeddings_regularizer":null,"input_dim":1000,"mask_zero":false,'
    '"name":"embedding","output_dim":64,"quantization_config":null,@T@D'
    '@C"GRU","config":{"reset_after":true,@C"Bidirectional","config":{"backward_layer":'
    '"go_backwards":true,"name":"backward_lstm""layer":"merge_mode":"concat","name":"bidirectional"'
    '@C"LSTM","config":{"activation":"tanh","activity_regularizer":null,@B"dropout":0.0,@P,@R@S'
    '"unit_forget_bias":true,@U@C"LayerNormalization","config":{"axis":-1,@Y'
    '"name":"layer_normalization","rms_scaling":false,"scale":true,@T@D'
    '@C"SeparableConv2D","config":{"pointwise_constraint":null,"pointwise_initializer":@G,'
    '"pointwise_regularizer":null,@C"DepthwiseConv2D","config":{@A@B@F"depth_multiplier":1,@X'
    '@C"UpSampling2D","config":{@F@P,"interpolation":"nearest","name":"up_sampling2d","size":[2,2],'
    '@C"Conv2DTranspose","config":{"output_padding":null,@C"Rescaling","config":{@P,'
    '"name":"rescaling","offset":0.0,"scale":@C"Reshape","config":{@P,"name":"reshape",'
    '"target_shape":[@C"ZeroPadding2D","config":{@F@P,"name":"zero_padding2d",'
    '"padding":[[1,1],[1,1]],@C"AveragePooling2D","config":{"name":"average_pooling2d",'
    '@C"GlobalAveragePooling2D","config":{@F@P,"keepdims":false,"name":"global_average_pooling2d",@T'
    '@C"Multiply","config":{@P,"name":"multiply",@T},@C"Concatenate","config":{"axis":-1,@P,'
    '"name":"concatenate",@T},@C"Add","config":{@P,"name":"add",@T},@N@H@E'
    '@C"ReLU","config":{@P,"max_value":null,"name":"re_lu","negative_slope":0.0,"threshold":0.0,@T}'
    ',@C"BatchNormalization","config":{"axis":-1,@Y"momentum":0.99,"moving_mean_initializer":@Z,'
    '"moving_variance_initializer":@O,"name":"batch_normalization","renorm":false,'
    '"renorm_clipping":null,"renorm_momentum":0.99,"scale":true,"synchronized":false,@T},'
    '@C"Activation","config":{"activation":"relu",@P,"name":"activation",@T},'
    '"inbound_nodes":[{"args":[@C"__keras_tensor__","config":{"keras_history":["input_layer@E'
    '@C"Conv1D","config":{@C"Functional","config":{"input_layers":["input_layer",0,0],"layers":['
    '"name":"functional","output_layers":["dense",0,0],"module":"keras.src.models.functional",'
    '"registered_name":"Functional"}@C"MaxPooling2D","config":{@F@P,"name":"max_pooling2d",'
    '"padding":"valid","pool_size":[2,2],"strides":[2,2],@T@D@C"Conv2D","config":{"activation":'
    '"relu","activity_regularizer":null,@B@F"dilation_rate":[1,1],@P,"filters":64,"groups":1,@K'
    '"kernel_size":[3,3],"name":"conv2d_1","padding":"same","strides":[1,1],@T,"use_bias":true@D'
    '@C"Dropout","config":{@P,"name":"dropout","noise_shape":null,"rate":0.5,"seed":null,@T@D'
    '@C"Sequential","config":{@P,"layers":[@C"InputLayer","config":{"batch_shape":[null,28,28,1],'
    '"dtype":"float32","name":"input_layer","optional":false,"ragged":false,"sparse":false@D'
    '@C"Flatten","config":{@F@P,"name":"flatten",@T@D'
    '@C"Dense","config":{"activation":"relu",@B@P,@K"name":"dense_1","quantization_config":null,@T,'
    '"units":128,"use_bias":true@D@C"Dense","config":{"activation":"softmax",@B@P,@K"name":"dense",'
    '"quantization_config":null,@T,"units":10,"use_bias":true},@Ilayers"}],"name":"sequential",@T},'
    '"module":"keras"}'
)


def _expanded(text: str) -> bytes:
    for short, full in _SHORT.items():
        text = text.replace(short, full)
    return text.encode()


DICTIONARY = _expanded(_DICTIONARY_TEXT)
